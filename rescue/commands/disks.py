"""`rescue disks`: lists the disks and what each of them holds."""

import contextlib

from rescue.discover.machine import discover
from rescue.errors import ExitCode, UsageError
from rescue.mirrors.select import known_records
from rescue.model.mirror.record import MirrorRecord
from rescue.store.codec import to_json
from rescue.ui.disks import disks_table
from rescue.ui.screen import Screen


def disks(screen: Screen, *, long: bool = False, as_json: bool) -> ExitCode:
    """Print the disks of this machine, as a table or as the whole machine in JSON.

    The table has the one name of each disk that is typed; with `long` all of them.
    """
    machine = discover()
    if as_json:
        screen.show_plain(to_json(machine))
        return ExitCode.DONE
    records: tuple[MirrorRecord, ...] = ()
    if machine.is_root:  # nobody else can read them
        # An invalid configuration is no reason not to show the disks.
        with contextlib.suppress(UsageError):
            records = known_records()
    screen.show(disks_table(machine, records=records, long=long))
    return ExitCode.DONE

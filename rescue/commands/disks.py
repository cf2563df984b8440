"""`rescue disks`: which disks there are, and what each holds."""

from rescue.codec import to_json
from rescue.discover.machine import discover
from rescue.errors import ExitCode
from rescue.ui.disks import disks_table
from rescue.ui.screen import Screen


def disks(screen: Screen, *, as_json: bool) -> ExitCode:
    """Print the disks of this machine, as a table or as the whole machine in JSON."""
    machine = discover()
    screen.show(to_json(machine) if as_json else disks_table(machine))
    return ExitCode.DONE

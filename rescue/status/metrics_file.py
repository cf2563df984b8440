"""The metrics file, written after each run and by the timer."""

from pathlib import Path

from rescue import paths
from rescue.errors import RescueError
from rescue.model.run.status import Status
from rescue.model.storage.machine import Machine
from rescue.status.current import current_status
from rescue.status.metrics import FILE_NAME, exposition
from rescue.store import config
from rescue.system.files.atomic import write_atomic
from rescue.system.notify import journal
from rescue.ui.screen import Screen


def publish(machine: Machine, screen: Screen, *, found: Status | None = None) -> None:
    """Write the metrics, if the configuration names a folder for them.

    `found` is the machine's status where it is already known. A failure stops nothing: it is
    reported, here and in the system's log.
    """
    try:
        folder = config.load().alarm.metrics if paths.CONFIG.exists() else ""
        if folder:
            write(found or current_status(machine), Path(folder))
    except (RescueError, OSError) as error:
        said = f"the metrics were not written: {error}"
        screen.warn(said)
        journal.report_alarm(said)


def write(status: Status, folder: Path) -> None:
    """Write the file atomically and world-readable, since node_exporter does not run as root.

    Raises OSError where the folder is not there: it belongs to who reads it.
    """
    write_atomic(folder / FILE_NAME, exposition(status).encode(), mode=0o644)

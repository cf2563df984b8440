"""What the source remembers of each mirror: /var/lib/rescue/mirrors/NAME.json."""

from pathlib import Path

from rescue.codec import from_json, to_json
from rescue.errors import UsageError
from rescue.model.record import RECORD_VERSION, MirrorRecord
from rescue.system.files import write_atomic

STATE_DIRECTORY = Path("/var/lib/rescue/mirrors")


def save_record(record: MirrorRecord, directory: Path = STATE_DIRECTORY) -> None:
    """Write the record, atomically, readable by root alone."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(directory / f"{record.name}.json", to_json(record).encode(), mode=0o600)


def load_record(name: str, directory: Path = STATE_DIRECTORY) -> MirrorRecord:
    """Return the record of the mirror of that name.

    Raises UsageError where there is none, or it was written by a newer rescue.
    """
    path = directory / f"{name}.json"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(
            f"mirror '{name}' is in the configuration, and {path} does not exist",
            hint=f"copy /.rescue/mirror.json of the mirror to {path}, or prepare it again",
        ) from error
    return from_json(text, MirrorRecord, known_version=RECORD_VERSION, where=str(path))

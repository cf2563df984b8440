"""Stored proofs, /var/lib/rescue/proofs/NAME/, the newest few of each mirror."""

from datetime import UTC, datetime
from pathlib import Path

from rescue import paths
from rescue.proof.proof import ProofRun
from rescue.store.codec import to_json
from rescue.system.files.atomic import write_atomic

KEPT = 14
"""Proofs that are kept of each mirror; a week and another, where one is made every night."""


def keep(proven: ProofRun, directory: Path = paths.PROOFS) -> Path:
    """Store verdict, serial log and screenshot, deleting the oldest; return the verdict's path."""
    proof = proven.proof
    folder = directory / proof.mirror
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stem = f"{datetime.fromtimestamp(proof.at, UTC):%Y%m%dT%H%M%SZ}-{proof.firmware}"
    write_atomic(folder / f"{stem}.json", to_json(proof).encode(), mode=0o600)
    log = f"{proven.evidence.console}\n--- second serial port\n{proven.evidence.screen}"
    write_atomic(folder / f"{stem}.log", log.encode("utf-8", "replace"), mode=0o600)
    if proven.picture:
        write_atomic(folder / f"{stem}.png", proven.picture, mode=0o600)
    prune(folder)
    return folder / f"{stem}.json"


def prune(folder: Path, *, kept: int = KEPT) -> None:
    """Remove all but the newest proofs of a mirror's folder."""
    stems = sorted({path.stem for path in folder.glob("[0-9]*Z-*.*")})
    for stem in stems[: max(len(stems) - kept, 0)]:
        for path in folder.glob(f"{stem}.*"):
            path.unlink()

"""Make a server what it is after its first disk died; runs in the guest, as root.

`as_mirror.py DISK` takes the running system for the mirror and DISK for the dead one: the same
partitions, other identifiers, the same homes, and the record of a last run at /.rescue. Stories of
the way back alone begin here, in seconds; the whole way is in the first story of `test_restore.py`.
"""

import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

from rescue.discover.machine import discover
from rescue.model.mirror.identifiers import IdentifierMap
from rescue.model.mirror.record import DiskRef, FilesystemPair, MirrorRecord, MirrorState
from rescue.model.storage.disk import Disk
from rescue.model.storage.filesystem import FileSystem
from rescue.model.storage.place import OnPartition
from rescue.store.records import save_marker


def sh(*argv: str, stdin: str = "") -> str:
    done = subprocess.run(argv, input=stdin, check=True, capture_output=True, text=True)
    return done.stdout


def copy_table(running: str, dead: str) -> None:
    """Give the dead disk the same partitions with identifiers of their own."""
    lines = []
    for line in sh("sfdisk", "--dump", running).splitlines():
        if not line.startswith("label-id"):
            fields = [field for field in line.split(", ") if not field.startswith("uuid=")]
            lines.append(", ".join(fields).replace(running, dead))
    sh("sfdisk", "--quiet", dead, stdin="\n".join(lines) + "\n")
    sh("udevadm", "settle")


def fill(device: str, mounted: str) -> str:
    """Copy a mounted file system to a fresh one; return its UUID."""
    uuid = str(uuid4())
    sh("mkfs.ext4", "-q", "-U", uuid, device)
    place = Path("/run/fill")
    place.mkdir(exist_ok=True)
    sh("mount", device, str(place))
    sh("cp", "-ax", f"{mounted}/.", str(place))
    sh("umount", str(place))
    return uuid


def fill_accounts(device: str) -> str:
    """Make a root file system with nothing on it but this system's accounts; return its UUID."""
    uuid = str(uuid4())
    sh("mkfs.ext4", "-q", "-U", uuid, device)
    place = Path("/run/fill")
    place.mkdir(exist_ok=True)
    sh("mount", device, str(place))
    (place / "etc").mkdir()
    sh("cp", "-a", "/etc/passwd", "/etc/group", "/etc/login.defs", str(place / "etc"))
    sh("umount", str(place))
    return uuid


def pair(running: Disk, point: str, dead: str) -> FilesystemPair:
    part = next(part for part in running.partitions if point in {use.where for use in part.uses})
    assert isinstance(part.content, FileSystem)
    device = f"{dead}{part.number}"
    return FilesystemPair(
        mount_point=point,
        kind=part.content.kind,
        place=OnPartition(number=part.number),
        source_uuid=fill(device, point) if point == "/home" else fill_accounts(device),
        mirror_uuid=part.content.uuid,
        mirror_partuuid=part.uuid,
    )


def ref(disk: Disk) -> DiskRef:
    assert disk.table is not None
    return DiskRef(id=disk.id, table_uuid=disk.table.uuid)


def main(dead: str) -> None:
    running = discover().root_disk
    assert running is not None
    copy_table(running.path, dead)
    pairs = tuple(pair(running, point, dead) for point in ("/", "/home"))
    sh("udevadm", "settle")
    machine = discover()
    there = machine.disk_at(dead)
    assert there is not None
    record = MirrorRecord(
        name="cellar",
        host=machine.host,
        machine_id=machine.machine_id,
        source=ref(there),
        mirror=ref(running),
        filesystems=pairs,
        swaps=(),
        identifiers=IdentifierMap(),
        platforms=(),
        state=MirrorState.COMPLETE,
        generation=1,
        last_complete=time.time(),
    )
    save_marker(Path("/"), record)


if __name__ == "__main__":
    main(sys.argv[1])

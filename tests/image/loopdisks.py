"""Two small machines on loop devices, and a comparison of trees that does not believe rsync."""

import errno
import hashlib
import json
import os
import stat
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from rescue.apply.workspace import Site
from rescue.grants import MarkerGrant, WriteGrant, grant_disk, grant_marker
from rescue.model.boot.firmware import Firmware
from rescue.model.mirror.identifiers import DeviceNames, DevicePair, IdentifierMap
from rescue.model.mirror.partial import partial_folder
from rescue.model.mirror.plan import Plan, PlanKind
from rescue.model.mirror.record import DiskRef, FilesystemPair, MirrorRecord
from rescue.model.mirror.step import PruneTree, Step, SyncTree, WriteBootFiles
from rescue.model.proof import ProofPlan, ProofSettings
from rescue.model.storage.filesystem import FileSystem, FsKind
from rescue.model.storage.identity import DiskId
from rescue.model.storage.place import OnPartition
from rescue.model.virtual import DiskBus
from rescue.system.block.mkfs import mkfs_argv

SIZE = {FsKind.EXT4: 64, FsKind.XFS: 320, FsKind.BTRFS: 160}
MIRROR = DiskId(serial="MIRROR-1")
PATTERNS = ("/etc/fstab", "/etc/default/grub.d/*", "/boot/grub/grub.cfg", "/boot/grub/grubenv")
KEEP = ("/.rescue/", "/etc/fstab", "/etc/default/grub.d/*")
KEEP_BOOT = ("/grub/grub.cfg", "/grub/grubenv", "/initrd.img-*")


def sh(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def unmount(place: Path, device: str) -> None:
    """Unmount, and wait until nobody has the device mounted.

    A process that entered a private mount namespace meanwhile (another test's) took a copy of the
    mount along: until it ends the file system lives on, as it was mounted and with what it has
    cached. A device in such use cannot be opened exclusively (man 2 open, O_EXCL).
    """
    sh("umount", str(place))
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            time.sleep(0.05)
        else:
            return


@dataclass(frozen=True, kw_only=True)
class DiskPair:
    """A source mounted at `root` (with /boot on a file system of its own), and its mirror."""

    folder: Path
    root: Path
    record: MirrorRecord
    devices: dict[str, str]

    @property
    def site(self) -> Site:
        return Site(
            source_root=self.root,
            identify=lambda path: MIRROR,
            locate=lambda pair, disk: self.devices[pair.mount_point],
        )

    def plan(
        self,
        *,
        first: bool = False,
        checksum: bool = False,
        steps: tuple[Step, ...] | None = None,
    ) -> Plan:
        """A first copy, or a nightly run."""
        ordinary: tuple[Step, ...] = (
            SyncTree(
                mount_point="/",
                protect=KEEP,
                prune_last=() if first else ("/usr/lib/modules",),
                first=first,
                checksum=checksum,
            ),
            SyncTree(
                mount_point="/boot",
                protect=KEEP_BOOT,
                prune_last=() if first else ("/",),
                first=first,
                checksum=checksum,
            ),
            WriteBootFiles(patterns=PATTERNS, resume_uuid="5a5a5a5a-0000-4000-8000-000000000001"),
        )
        prunes: tuple[Step, ...] = (
            PruneTree(mount_point="/", prune_last=("/usr/lib/modules",), protect=KEEP),
            PruneTree(mount_point="/boot", prune_last=("/",), protect=KEEP_BOOT),
        )
        return Plan(
            kind=PlanKind.PREPARE if first else PlanKind.MIRROR,
            target_path="/dev/mirror",
            record=self.record,
            steps=steps if steps is not None else ordinary + (() if first else prunes),
        )

    def grant(self, plan: Plan) -> WriteGrant:
        return grant_disk(plan, named=MIRROR.serial)

    def leave_for_marker(self, record: MirrorRecord) -> MarkerGrant:
        return grant_marker(
            ProofPlan(
                record=record,
                disk=self.plan().target_path,
                shown=MIRROR,
                firmwares=(Firmware.BIOS,),
                bus=DiskBus.VIRTIO,
                settings=ProofSettings(),
            )
        )

    @contextmanager
    def mirror_seen(self) -> Iterator[Path]:
        """Mount the mirror as a stranger would, and give its tree."""
        place = self.folder / "seen"
        place.mkdir(exist_ok=True)
        with ExitStack() as stack:
            for point in ("/", "/boot"):
                target = place / point.lstrip("/")
                sh("mount", "-o", "noatime", self.devices[point], str(target))
                stack.callback(unmount, target, self.devices[point])
            yield place

    @contextmanager
    def mirror_seen_root(self) -> Iterator[Path]:
        """Mount the mirror's root alone: where nothing was copied there is no /boot."""
        place = self.folder / "seen"
        place.mkdir(exist_ok=True)
        sh("mount", "-o", "noatime", self.devices["/"], str(place))
        try:
            yield place
        finally:
            unmount(place, self.devices["/"])


@contextmanager
def disk_pair(folder: Path, kind: FsKind = FsKind.EXT4, *, mib: int = 0) -> Iterator[DiskPair]:
    """Make both on loop devices; everything is unmounted and detached at the end.

    `mib` is the size of the root file systems, 0 the usual one.
    """
    root = folder / "source"
    root.mkdir()
    devices, pairs = {}, []
    with ExitStack() as stack:
        for number, point in enumerate(("/", "/boot"), 1):
            ids = {}
            for side in ("source", "mirror"):
                ids[side] = str(uuid4())
                image = folder / f"{side}{number}.img"
                with image.open("wb") as file:
                    size = mib if mib and point == "/" else SIZE[kind]
                    file.truncate(size * 1024 * 1024)
                sh(*mkfs_argv(FileSystem(kind=kind, uuid=ids[side]), str(image)))
                device = sh("losetup", "--find", "--show", str(image)).strip()
                stack.callback(sh, "losetup", "--detach", device)
                if side == "source":
                    target = root / point.lstrip("/")
                    target.mkdir(exist_ok=True)
                    sh("mount", device, str(target))
                    stack.callback(sh, "umount", str(target))
                else:
                    devices[point] = device
            pairs.append(
                FilesystemPair(
                    mount_point=point,
                    kind=kind,
                    place=OnPartition(number=number),
                    source_uuid=ids["source"],
                    mirror_uuid=ids["mirror"],
                    mirror_partuuid=str(uuid4()),
                )
            )
        record = _record(tuple(pairs))
        fill(root, record)
        yield DiskPair(folder=folder, root=root, record=record, devices=devices)


def _record(pairs: tuple[FilesystemPair, ...]) -> MirrorRecord:
    identifiers = IdentifierMap(
        pairs=tuple(
            DevicePair(old=DeviceNames(uuid=p.source_uuid), new=DeviceNames(uuid=p.mirror_uuid))
            for p in pairs
        )
    )
    return MirrorRecord(
        name="cellar",
        host="server",
        machine_id="0123456789abcdef0123456789abcdef",
        source=DiskRef(id=DiskId(serial="SOURCE-1"), table_uuid=str(uuid4())),
        mirror=DiskRef(id=MIRROR, table_uuid=str(uuid4())),
        filesystems=pairs,
        swaps=(),
        identifiers=identifiers,
        platforms=(),
        partial=partial_folder(str(uuid4())),
    )


def fill(root: Path, record: MirrorRecord) -> None:
    """Put onto the source what makes a system hard to copy."""
    folders = ("etc/default/grub.d", "usr/lib/modules/6.1.0-1", "boot/grub", "home/ann", "dev")
    for name in (*folders, "etc/initramfs-tools/conf.d", "etc/systemd/system", "var/odd"):
        (root / name).mkdir(parents=True)
    boot = record.filesystems[1].source_uuid
    fstab = f"# of the source\nUUID={record.root.source_uuid} / ext4 rw 0 1\nUUID={boot} /boot ext4"
    (root / "etc/fstab").write_text(f"{fstab} defaults 0 2\n")
    (root / "etc/default/grub.d/a.cfg").write_text("GRUB_TIMEOUT=1\n")
    (root / "boot/grub/grub.cfg").write_text(f"search --fs-uuid --set=root {boot}\n")
    (root / "boot/vmlinuz-6.1.0-1").write_bytes(b"kernel 1")
    (root / "boot/initrd.img-6.1.0-1").write_bytes(b"initramfs 1")
    (root / "usr/lib/modules/6.1.0-1/ext4.ko").write_bytes(b"module 1")
    ann = root / "home/ann"
    (ann / "mail").write_bytes(b"x" * 5000)
    os.link(ann / "mail", ann / "mail-again")
    (ann / "to-mail").symlink_to("mail")
    (ann / "dangling").symlink_to("/nowhere")
    (ann / "new\nline").write_bytes(b"1")
    (ann / "*[wild]?\\").write_bytes(b"2")
    Path(os.fsdecode(os.fsencode(ann) + b"/\xff\xfe")).write_bytes(b"3")
    with (root / "var/odd/sparse").open("wb") as file:
        file.truncate(20 * 1024 * 1024)
        file.seek(10 * 1024 * 1024)
        file.write(b"island")
    os.mkfifo(root / "var/odd/fifo")
    os.mknod(root / "dev/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    (root / "var/odd/suid").write_bytes(b"#!")
    os.chown(root / "var/odd/suid", 1234, 4321)
    (root / "var/odd/suid").chmod(0o6755)
    os.setxattr(root / "var/odd/suid", "user.note", b"kept")
    os.setxattr(root / "var/odd/suid", "security.capability", CAP_NET_RAW)
    sh("setfacl", "-m", "u:1000:r", str(ann / "mail"))
    os.utime(ann / "mail", ns=(1, 1_000_000_000_123_456_789))


CAP_NET_RAW = bytes.fromhex("0100000200200000000000000000000000000000")


def tree_of(root: Path, grant: tuple[str, ...] = ()) -> dict[str, object]:
    """Return everything that can be told of a tree, name by name; `grant` are paths left out."""
    seen: dict[str, object] = {}
    links: dict[tuple[int, int], str] = {}
    for folder, folders, names in os.walk(os.fsencode(root)):
        folders.sort()
        for name in sorted([b".", *folders, *names]):
            path = folder if name == b"." else os.path.join(folder, name)
            inside = os.fsdecode(os.path.relpath(path, os.fsencode(root)))
            if inside.split("/")[0] == "lost+found" or any(
                inside == one or inside.startswith(f"{one}/") for one in grant
            ):
                continue
            seen[inside] = _facts(path, links, inside)
    return seen


def _facts(path: bytes, links: dict[tuple[int, int], str], name: str) -> tuple[object, ...]:
    info = os.lstat(path)
    kind = stat.S_IFMT(info.st_mode)
    content: object = ""
    if stat.S_ISREG(kind):
        with open(path, "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    elif stat.S_ISLNK(kind):
        content = os.readlink(path)
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        content = info.st_rdev
    first = links.setdefault((info.st_dev, info.st_ino), name) if not stat.S_ISDIR(kind) else ""
    attributes = {
        key: os.getxattr(path, key, follow_symlinks=False).hex()
        for key in os.listxattr(path, follow_symlinks=False)
    }
    sparse = stat.S_ISREG(kind) and info.st_blocks * 512 < info.st_size // 2
    owner = (info.st_mode, info.st_uid, info.st_gid, info.st_mtime_ns)
    return (*owner, content, first, json.dumps(attributes, sort_keys=True), sparse)


def in_child(action: Callable[[], object]) -> object:
    """Run an action in a process of its own (it enters a mount namespace); return what it does.

    An error comes back as AssertionError with the child's traceback.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            said = json.dumps(["done", action()])
        except BaseException as error:
            where = traceback.format_exc()
            said = json.dumps(["error", type(error).__name__, str(error), where])
        with os.fdopen(write, "w") as pipe:
            pipe.write(said)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    result = json.loads(answer) if answer else ["error", "Killed", "", ""]
    if result[0] == "error":
        raise ChildError(result[1], result[2], result[3])
    return result[1]


class ChildError(AssertionError):
    """What was raised in the child: its class by name, what it said, and where."""

    def __init__(self, kind: str, message: str, where: str) -> None:
        super().__init__(f"{kind}: {message}\n{where}")
        self.kind = kind
        self.message = message

"""A dead disk in an image file, and the file systems of the mirror that runs in its place."""

import hashlib
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rescue.commands.restore import readable
from rescue.grants import grant_return, unless_refused
from rescue.model.event import Event
from rescue.model.mirror.record import FilesystemPair, MirrorRecord, MirrorState, RunSummary
from rescue.model.restore.way_back import (
    RESTORE_VERSION,
    Free,
    RestorePlan,
    RestoreReport,
    RestoreRequest,
)
from rescue.model.storage.disk import PartitionTable, TableKind
from rescue.model.storage.filesystem import FileSystem, FsKind
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import Mount
from rescue.model.storage.place import OnPartition
from rescue.restore.copy import apply_restore, compare_now
from rescue.restore.dead_disk import opened
from rescue.restore.dead_homes import people_of
from rescue.restore.plan import begin_restore, plan_restore
from rescue.restore.running_system import seen_apart
from rescue.store.codec import from_json, to_json
from rescue.system.block.mkfs import mkfs_argv
from rescue.system.files.atomic import free_on
from tests.builders import disk_with, enrolled, part
from tests.image.loopdisks import in_child, sh

MIB = 1024 * 1024
ROOT_UUID = "50bce000-0000-4000-8000-000000000001"
HOME_UUID = "50bce000-0000-4000-8000-000000000002"
MIRROR_ROOT = "f7e50001-0000-4000-8000-000000000001"
MIRROR_HOME = "f7e50002-0000-4000-8000-000000000002"
ROOT = (1, 64)
HOME_SIZE = {FsKind.EXT4: 192, FsKind.XFS: 320, FsKind.BTRFS: 160}


@dataclass(kw_only=True)
class Night:
    """The dead disk (`image`), and the running mirror mounted at `running`."""

    folder: Path
    image: Path
    running: Path
    machine: Machine
    kind: FsKind
    origin: str = ""

    @property
    def record(self) -> MirrorRecord:
        record = self.machine.running_mirror
        assert record is not None
        return record

    @property
    def home(self) -> Path:
        """The running system's homes."""
        return self.running / "home"

    @contextmanager
    def alive(self) -> Iterator[Path]:
        """The first disk's root with its homes, while it still lives."""
        place = self.folder / "alive"
        place.mkdir(exist_ok=True)
        with ExitStack() as stack:
            for (start, size), inside in ((ROOT, ""), (self.home_span, "home")):
                device = attach(self.image, start, size)
                stack.callback(sh, "losetup", "--detach", device)
                (place / inside).mkdir(exist_ok=True)
                sh("mount", device, str(place / inside))
                stack.callback(sh, "umount", str(place / inside))
                # A namespace that another test made meanwhile may hold it for a while longer.
                stack.callback(sh, "mount", "-o", "remount,ro", str(place / inside))
            yield place

    @property
    def home_span(self) -> tuple[int, int]:
        """Start and length of the home partition in MiB."""
        return ROOT[0] + ROOT[1], HOME_SIZE[self.kind]

    def night_is_over(self) -> None:
        """From now on, what changes on the running side was changed by people."""
        time.sleep(0.02)
        now = time.time()
        ran = RunSummary(
            started=now,
            seconds=1.0,
            checksum=False,
            files_total=0,
            files_changed=0,
            bytes_changed=0,
            deletions=0,
        )
        record = replace(self.record, state=MirrorState.COMPLETE, last_complete=now, last_run=ran)
        self.machine = replace(self.machine, running_mirror=record)
        time.sleep(0.02)

    def digest(self) -> str:
        with self.image.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def planned(self, **asked: object) -> RestorePlan:
        """Plan in a child process."""
        text = in_child(lambda: to_json(_session(self, self.ask(asked), bring=False)[0]))
        return from_json(str(text), RestorePlan, known_version=RESTORE_VERSION, where="plan")

    def restored(self, **asked: object) -> RestoreReport:
        """Restore in a child process."""
        text = in_child(lambda: to_json(_session(self, self.ask(asked))[1]))
        return from_json(str(text), RestoreReport, known_version=RESTORE_VERSION, where="report")

    def ask(self, asked: dict[str, object]) -> RestoreRequest:
        named = self.origin or str(self.image)
        return replace(RestoreRequest(named=named), **asked)  # type: ignore[arg-type]


def _session(
    night: Night, request: RestoreRequest, *, bring: bool = True
) -> tuple[RestorePlan, RestoreReport]:
    """What the command does, with the running system below a folder."""
    size = Path(request.named).stat().st_size or int(sh("blockdev", "--getsize64", request.named))
    start = unless_refused(begin_restore(night.machine, request, image_size=size, now=time.time()))
    scratch = night.folder / "scratch"
    with ExitStack() as held:
        dead = held.enter_context(
            opened(
                start.found.origin,
                start.pairs,
                table_uuid=night.record.source.table_uuid,
                layout=start.layout,
                scratch=scratch,
            )
        )
        people = people_of(dead, start, request, root=night.running)
        start = people.start
        points = (piece.mount_point for piece in start.pieces)
        running = held.enter_context(seen_apart(points, root=night.running))
        compared, free = {}, {}
        for piece, here in readable(start, dead.places, running).items():
            compared[piece] = compare_now(
                dead.places[piece.mount_point],
                here,
                piece,
                since=start.since,
                touched=start.touched,
                owners=people.mapped.owners,
            )
            left, inodes = free_on(here)
            free[piece.mount_point] = Free(size=left, inodes=inodes)
        plan = unless_refused(
            plan_restore(
                night.machine,
                start,
                request,
                readings=dead.readings,
                findings=dead.findings,
                compared=compared,
                free=free,
                mapped=people.mapped,
                notes=people.notes,
                now=time.time(),
            )
        )
        if not bring:
            return plan, None  # type: ignore[return-value]
        events: list[Event] = []
        grant = grant_return(plan, named=plan.origin.name)
        report = apply_restore(plan, grant, dead=dead.places, here=running, emit=events.append)
        return plan, report


def attach(image: Path, start: int, size: int) -> str:
    span = [f"--offset={start * MIB}", f"--sizelimit={size * MIB}"]
    return sh("losetup", "--find", "--show", *span, str(image)).strip()


@contextmanager
def night_of(folder: Path, kind: FsKind = FsKind.EXT4) -> Iterator[Night]:
    """Make both sides, empty; everything is unmounted and detached at the end."""
    image, running = folder / "dead.img", folder / "running"
    running.mkdir()
    home = (ROOT[0] + ROOT[1], HOME_SIZE[kind])
    with image.open("wb") as file:
        file.truncate((home[0] + home[1] + 2) * MIB)
    script = "label: gpt\nlabel-id: 50BCE222-0000-4000-8000-000000000000\n"
    for start, size in (ROOT, home):
        script += f"start={start * 2048}, size={size * 2048}\n"
    subprocess.run(["sfdisk", "-q", str(image)], input=script, text=True, check=True)
    with ExitStack() as stack:
        for (start, size), made in (
            (ROOT, FileSystem(kind=FsKind.EXT4, uuid=ROOT_UUID)),
            (home, FileSystem(kind=kind, uuid=HOME_UUID)),
        ):
            device = attach(image, start, size)
            _make(made, device)
            sh("losetup", "--detach", device)
        for name, uuid, size, of in (
            ("", MIRROR_ROOT, 64, FsKind.EXT4),
            ("home", MIRROR_HOME, HOME_SIZE[kind], kind),
        ):
            file_ = folder / f"mirror-{name or 'root'}.img"
            with file_.open("wb") as file:
                file.truncate(size * MIB)
            _make(FileSystem(kind=of, uuid=uuid), str(file_))
            device = sh("losetup", "--find", "--show", str(file_)).strip()
            stack.callback(sh, "losetup", "--detach", device)
            (running / name).mkdir(exist_ok=True)
            sh("mount", device, str(running / name))
            stack.callback(sh, "umount", str(running / name))
        night = Night(
            folder=folder, image=image, running=running, machine=_machine(kind), kind=kind
        )
        with night.alive() as alive:
            accounts(alive, {"anna": 1000, "bela": 1001, "zoe": 1234})
        accounts(running, {"anna": 1000, "bela": 1001})
        yield night


def accounts(root: Path, people: Mapping[str, int], homes: Mapping[str, str] | None = None) -> None:
    """Write the accounts of a system: root, and people with a group of their own."""
    (root / "etc").mkdir(exist_ok=True)
    where = homes or {}
    passwd, group = "root:x:0:0:root:/root:/bin/bash\n", "root:x:0:\nmail:x:8:\n"
    for name, number in people.items():
        home = where.get(name, f"/home/{name}")
        passwd += f"{name}:x:{number}:{number}:,,,:{home}:/bin/bash\n"
        group += f"{name}:x:{number}:\n"
    (root / "etc/passwd").write_text(passwd)
    (root / "etc/group").write_text(group)


def _make(made: FileSystem, device: str) -> None:
    argv = mkfs_argv(made, device)
    # Small blocks: then even a small file system has copies of its superblock.
    sh(*([*argv[:1], "-b", "1024", *argv[1:]] if made.kind.is_ext else argv))


def _machine(kind: FsKind) -> Machine:
    """The machine as it runs from its mirror, whose table is the dead disk's to the sector."""
    base = enrolled()
    home = FileSystem(kind=kind, uuid=MIRROR_HOME)
    parts = (
        part(1, *ROOT, FileSystem(kind=FsKind.EXT4, uuid=MIRROR_ROOT), device="/dev/vdb"),
        part(2, ROOT[0] + ROOT[1], HOME_SIZE[kind], home, device="/dev/vdb"),
    )
    table = PartitionTable(kind=TableKind.GPT, uuid="f7e50000", partitions=parts)
    mirror = disk_with(table, path="/dev/vdb", serial="MIR0001")
    pairs = tuple(
        FilesystemPair(
            mount_point=point,
            kind=of,
            place=OnPartition(number=number),
            source_uuid=source,
            mirror_uuid=uuid,
            mirror_partuuid="",
        )
        for number, point, of, source, uuid in (
            (1, "/", FsKind.EXT4, ROOT_UUID, MIRROR_ROOT),
            (2, "/home", kind, HOME_UUID, MIRROR_HOME),
        )
    )
    record = replace(
        base.record,
        filesystems=pairs,
        mirror=replace(base.record.mirror, table_uuid="f7e50000"),
        state=MirrorState.COMPLETE,
    )
    return replace(
        base.machine,
        disks=(mirror,),
        mounts=(
            Mount(device="/dev/vdb1", target="/", fstype="ext4"),
            Mount(device="/dev/vdb2", target="/home", fstype=kind.value),
        ),
        running_mirror=record,
    )


class Post:
    """Delivers mail, and keeps a book of every one: its number and the hash of its content."""

    def __init__(self) -> None:
        self.book: dict[int, str] = {}

    def deliver(self, home: Path, user: str, numbers: range, *, age: float = 0.0) -> None:
        """Put mails into a user's Maildir, as old as said (seconds)."""
        for folder in ("cur", "new", "tmp"):
            (home / user / "Maildir" / folder).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            content = f"Number: {number}\n\n".encode() + os.urandom(number % 3000 + 1)
            letter = home / user / "Maildir" / "new" / f"17{number}.M{number}.server"
            letter.write_bytes(content)
            then = time.time() - age
            os.utime(letter, (then, then))
            self.book[number] = hashlib.sha256(content).hexdigest()

    def missing(self, home: Path) -> list[int]:
        """Return the numbers whose mail is not there, or not as it was delivered."""
        found: dict[int, set[str]] = {}
        for folder, _, names in os.walk(home):
            for name in names:
                path = Path(folder) / name
                if path.is_symlink() or not path.is_file():
                    continue
                content = path.read_bytes()
                if content.startswith(b"Number: "):
                    number = int(content.split(b"\n")[0].split()[1])
                    found.setdefault(number, set()).add(hashlib.sha256(content).hexdigest())
        return [number for number, sha in self.book.items() if sha not in found.get(number, set())]

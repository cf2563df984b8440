"""`rescue media`: makes the USB rescue medium, as a file or on a stick."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rescue import paths
from rescue.discover.machine import discover
from rescue.discover.marker import read_marker
from rescue.errors import DamagedError, ExitCode, RescueError, UsageError
from rescue.grants import GuardRefusedError, grant_medium, unless_refused
from rescue.medium.build import Contents, build_image, seal
from rescue.medium.live import build_live
from rescue.medium.loaders import loaders
from rescue.medium.plan import medium_refusals, plan_medium
from rescue.medium.write import write_medium
from rescue.mirrors.select import known_records
from rescue.model.medium import MEDIUM_TABLE, MediumImage, MediumPlan, MediumRequest
from rescue.model.mirror.record import MirrorRecord
from rescue.model.storage.machine import Machine
from rescue.plan.checks.target_checks import find_target
from rescue.store.codec import to_json
from rescue.system.block.read_table import read_table
from rescue.system.process.lock import only_one_run
from rescue.ui.plan import render_medium
from rescue.ui.prompt import ask_identity
from rescue.ui.recovery_page import recovery_page
from rescue.ui.screen import Screen
from rescue.units import human_bytes

_ROOMY = Path("/var/tmp")
"""Where an image lies until it is on the stick: /tmp may be small and in memory."""


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """What the medium shall carry: the rescue system, and who may reach it by ssh.

    `ssh_key` is a file of public keys; without it nothing listens on the network.
    """

    rescue_system: bool = False
    ssh_key: Path | None = None


@dataclass(frozen=True, kw_only=True)
class WriteOptions:
    """What the command line asked for.

    `image` is a file that is there already; without it the medium is built. `expected` is ''
    where a person is asked instead.
    """

    target: str
    image: Path | None = None
    build: ImageOptions = ImageOptions()
    erase: str = ""
    accept_fixed: str = ""
    expected: str = ""
    ask: bool = True


def contents_for(machine: Machine) -> Contents:
    """Return what a medium of this machine carries, whatever is asked for besides.

    It knows the mirrors that are enrolled here, and has a recovery page for each.
    """
    records = known_records()
    return Contents.of(machine, records, _recovery_files(machine, records))


def image(target: Path, options: ImageOptions, screen: Screen) -> ExitCode:
    """Build a medium into a new file. Raises UsageError where something of that name is there."""
    if target.exists():
        raise UsageError(
            f"{target} already exists",
            hint="use 'rescue media write' for a stick, or name a new file for an image",
        )
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}", hint="create it first")
    with screen.busy("building the medium's image"):
        made = _build(target, options, discover(), screen)
    screen.show(f"{target}: {human_bytes(made.size)}, SHA-256 {made.sha256}")
    return ExitCode.DONE


def show(options: WriteOptions, screen: Screen, *, as_json: bool) -> ExitCode:
    """Print the plan and do nothing else."""
    with _planned(options, screen) as plan:
        if as_json:
            screen.show_plain(to_json(plan))
        else:
            screen.show(render_medium(plan))
    return ExitCode.DONE


def write(options: WriteOptions, screen: Screen) -> ExitCode:
    """Make the stick a rescue medium, and read it back.

    Raises RefusedError (nothing was written), RescueError where the stick does not keep what was
    written.
    """
    with _planned(options, screen) as plan:
        screen.show(render_medium(plan))
        named = ask_identity(plan) if options.ask else options.expected
        grant = grant_medium(plan, named=named)
        # Not while the image is built: a nightly run must not fail for that.
        with only_one_run():
            write_medium(grant, emit=screen.emit)
    screen.show(
        f"{plan.target_path} ({plan.disk.name}) is a rescue medium; every byte was read back"
    )
    return ExitCode.DONE


@contextmanager
def _planned(options: WriteOptions, screen: Screen) -> Iterator[MediumPlan]:
    """Give the plan; a medium that was built for it is gone when it ends."""
    machine = discover()
    request = MediumRequest(
        target=options.target,
        give_up_content_of=options.erase,
        accept_fixed=options.accept_fixed,
    )
    known = _known(machine, options.target, screen)
    # Asked before an image is built, which may take minutes; its size is looked at after.
    if refusals := medium_refusals(machine, request, None, known=known):
        raise GuardRefusedError(refusals)
    with tempfile.TemporaryDirectory(prefix="rescue-medium-", dir=_ROOMY) as folder:
        if options.image is None:
            with screen.busy("building the medium's image"):
                ready = _build(Path(folder) / "medium.img", options.build, machine, screen)
        else:
            ready = _read_image(options.image)
        yield unless_refused(plan_medium(machine, request, ready, known=known))


def _build(target: Path, options: ImageOptions, machine: Machine, screen: Screen) -> MediumImage:
    """Build the image, with the rescue system where it was asked for."""
    contents = contents_for(machine)
    if options.ssh_key is not None:
        keys = {f"{paths.ON_MEDIUM}/authorized_keys": _public_keys(options.ssh_key)}
        contents = replace(contents, recovery_files={**contents.recovery_files, **keys})
    if not options.rescue_system:
        return build_image(target, contents)
    with tempfile.TemporaryDirectory(prefix=paths.LIVE_PREFIX, dir=target.parent) as folder:
        # mmdebstrap may work as another user.
        Path(folder).chmod(0o755)
        live = Path(folder) / "live"
        live.mkdir()
        build_live(live, time=loaders().newest, tell=screen.show)
        return build_image(target, replace(contents, live=live))


def _public_keys(path: Path) -> bytes:
    """Return a file of public keys. Raises UsageError where it holds a private one, or none."""
    data = path.read_bytes()
    if b"PRIVATE KEY" in data or not data.strip():
        raise UsageError(
            f"{path} contains no public key",
            hint=(
                "name the file that ends in .pub: whoever holds the medium can read it, so no "
                "private key belongs there"
            ),
        )
    return data


def _read_image(path: Path) -> MediumImage:
    """Return an image that was built before. Raises UsageError where the file is none."""
    try:
        table = read_table(str(path))
    except RescueError as error:
        raise UsageError(f"{path} is not a rescue medium: {error.message}") from error
    if table.uuid != MEDIUM_TABLE:
        raise UsageError(
            f"{path} is not a rescue medium: its disk signature is {table.uuid}",
            hint=f"make one: rescue media image {path.with_name('rescue.img')}",
        )
    return seal(path)


def _known(machine: Machine, name: str, screen: Screen) -> tuple[MirrorRecord, ...]:
    """Return the records of the mirrors enrolled here, and of the one that the stick may be."""
    if not machine.is_root:
        return ()
    target, _ = find_target(machine, name)
    try:
        marker = read_marker(target) if target is not None else None
    except DamagedError as error:
        # Those of this machine are known by what is on them: it is a stranger's.
        screen.warn(f"what a mirror may be on that disk: {error.message}")
        marker = None
    found = (marker.record,) if marker is not None else ()
    return (*known_records(), *found)


def _recovery_files(machine: Machine, records: tuple[MirrorRecord, ...]) -> dict[str, bytes]:
    """Return this server's recovery page for each of its mirrors, by their places."""
    recovery_files: dict[str, bytes] = {}
    for record in records:
        page = recovery_page(machine, record, others=records)
        recovery_files |= dict(_placed(page.recovery_files(), record, records))
    return recovery_files


def _placed(
    recovery_files: Mapping[str, bytes], record: MirrorRecord, records: tuple[MirrorRecord, ...]
) -> Iterator[tuple[str, bytes]]:
    """Yield each paper with its place; with several mirrors it carries the mirror's name."""
    for name, data in recovery_files.items():
        stem, dot, kind = name.rpartition(".")
        yield (name if len(records) == 1 else f"{stem}-{record.name}{dot}{kind}"), data

"""A source whose kernels could start it, on a pair of loop disks, and the run as planned."""

import gzip
from collections.abc import Callable
from dataclasses import replace

from rescue.apply.engine import apply_plan
from rescue.apply.marker import store_marker
from rescue.discover.linked import linked_files
from rescue.model.event import Event
from rescue.model.mirror.plan import Plan
from rescue.model.mirror.record import MirrorState
from rescue.plan.layout.survey import survey
from rescue.plan.steps.run import run_steps
from tests.builders import server
from tests.fabricated_mirror import bzimage, cpio, initramfs_files
from tests.image.loopdisks import DiskPair, in_child

FIRST = "6.1.0-1"
MODULE = "kernel/fs/ext4/ext4.ko"


def install_kernel(pair: DiskPair, version: str, *, menu: bool = True) -> None:
    """Do what a kernel's package does: modules, kernel, depmod, initramfs, update-grub."""
    modules = pair.root / "usr/lib/modules" / version
    (modules / MODULE).parent.mkdir(parents=True, exist_ok=True)
    (modules / MODULE).write_bytes(b"\x7fELF")
    (modules / "modules.dep").write_text(f"{MODULE}:\n")
    (pair.root / f"boot/vmlinuz-{version}").write_bytes(bzimage(version))
    files = {**initramfs_files(version), "conf/conf.d/resume": b"RESUME=none\n"}
    packed = gzip.compress(cpio(files))
    (pair.root / f"boot/initrd.img-{version}").write_bytes(packed)
    if menu:
        update_grub(pair)


def remove_kernel(pair: DiskPair, version: str, *, menu: bool = True) -> None:
    """Do what the removal of a kernel's package does."""
    modules = pair.root / "usr/lib/modules" / version
    for path in (modules / MODULE, modules / "modules.dep"):
        path.unlink()
    for name in ("vmlinuz", "initrd.img"):
        (pair.root / f"boot/{name}-{version}").unlink()
    if menu:
        update_grub(pair)


def update_grub(pair: DiskPair, *more: str) -> None:
    """Write a menu of all kernels, the newest first."""
    names = sorted((path.name for path in (pair.root / "boot").glob("vmlinuz-*")), reverse=True)
    boot, root = pair.record.filesystems[1].source_uuid, pair.record.root.source_uuid
    entries = [
        f"menuentry 'Debian {name}' --id '{name}-{root}' {{\n"
        f"\tsearch --no-floppy --fs-uuid --set=root {boot}\n"
        f"\tlinux /{name} root=UUID={root} ro quiet\n"
        f"\tinitrd /{name.replace('vmlinuz', 'initrd.img')}\n}}\n"
        for name in [*names, *more]
    ]
    section = "### {} /etc/grub.d/10_linux ###\n"
    text = f'set default="0"\n{section.format("BEGIN")}{"".join(entries)}{section.format("END")}'
    (pair.root / "boot/grub/grub.cfg").write_text(text)


def fill_boot(pair: DiskPair) -> None:
    """Put one kernel onto the source in the place of what stands for one in `loopdisks`."""
    for path in (pair.root / "usr/lib/modules" / FIRST).iterdir():
        path.unlink()
    install_kernel(pair, FIRST)


def night(pair: DiskPair, *, first: bool = False, checksum: bool = False) -> Plan:
    """Return the run as it is planned for the source as it is now."""
    machine = replace(server(), swaps=(), linked_files=linked_files(pair.root))
    assert machine.root_disk is not None
    found = survey(machine, machine.root_disk)
    run = run_steps(machine, found, pair.record, esp="", first=first, checksum=checksum)
    return pair.plan(first=first, steps=run.steps)


def carry_out(
    pair: DiskPair,
    plan: Plan,
    *,
    between: Callable[[Event], None] = lambda event: None,
) -> list[str]:
    """Apply a plan and leave a complete mirror, as after a good audit; return what was said.

    What the summary notes of it stands at the end, once more. `between` is called with every event,
    in the middle of the run.
    """
    said: list[str] = []

    def emit(event: Event) -> None:
        between(event)
        said.append(str(getattr(event, "message", "")))

    def action() -> object:
        outcome = apply_plan(plan, pair.grant(plan), emit=emit, site=pair.site)
        done = replace(outcome.record, state=MirrorState.COMPLETE, generation=1)
        store_marker(done, pair.grant(plan), site=pair.site)
        return [*filter(None, said), *outcome.summary.notes]

    told = in_child(action)
    assert isinstance(told, list)
    return told

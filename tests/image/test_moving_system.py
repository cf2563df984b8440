"""The system changes while it is copied: the menu never names what is not on the mirror."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rescue.model.event import Event, StepDone
from rescue.model.mirror.plan import Plan
from rescue.model.mirror.step import SyncTree, WriteBootFiles
from tests.image.bootset import FIRST, carry_out, fill_boot, install_kernel, night, remove_kernel
from tests.image.loopdisks import DiskPair, disk_pair

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]

SECOND, THIRD = "6.1.0-2", "6.1.0-3"


@pytest.fixture(name="pair")
def pair_(tmp_path: Path) -> Iterator[DiskPair]:
    """Twins whose mirror is of last night, with one kernel."""
    with disk_pair(tmp_path) as made:
        fill_boot(made)
        carry_out(made, night(made, first=True))
        yield made


def after(number: int, action: Callable[[], None]) -> Callable[[Event], None]:
    """Do something on the source when a step of the plan is done."""

    def between(event: Event) -> None:
        if isinstance(event, StepDone) and event.number == number:
            action()

    return between


def number_of(plan: Plan, mount_point: str) -> int:
    """Return which step copies a file system."""
    steps = enumerate(plan.steps, 1)
    return next(n for n, s in steps if isinstance(s, SyncTree) and s.mount_point == mount_point)


def before_the_menus(plan: Plan) -> int:
    steps = enumerate(plan.steps, 1)
    return next(n for n, s in steps if isinstance(s, WriteBootFiles) and s.menus) - 1


def menu_of(mirror: Path) -> str:
    return (mirror / "boot/grub/grub.cfg").read_text()


def has_kernel(mirror: Path, version: str) -> bool:
    names = (
        f"boot/vmlinuz-{version}",
        f"boot/initrd.img-{version}",
        f"usr/lib/modules/{version}/modules.dep",
        f"usr/lib/modules/{version}/kernel/fs/ext4/ext4.ko",
    )
    return all((mirror / name).is_file() for name in names)


@pytest.mark.parametrize("moment", ["between / and /boot", "before the menus"])
def test_a_kernel_installed_meanwhile_is_taken_along(pair: DiskPair, moment: str) -> None:
    plan = night(pair)
    done = number_of(plan, "/") if moment.startswith("between") else before_the_menus(plan)
    said = carry_out(pair, plan, between=after(done, lambda: install_kernel(pair, SECOND)))
    assert any(f"kernel {SECOND} changed while it was copied" in each for each in said)
    with pair.mirror_seen() as mirror:
        assert SECOND in menu_of(mirror)
        assert has_kernel(mirror, SECOND)
        assert has_kernel(mirror, FIRST)


def test_a_menu_ahead_of_its_kernel_does_not_replace_a_good_one(pair: DiskPair) -> None:
    """The default kernel is gone again, and its removal has not yet come to 'update-grub'."""

    def half_removed() -> None:
        install_kernel(pair, SECOND)
        remove_kernel(pair, SECOND, menu=False)

    plan = night(pair)
    said = carry_out(pair, plan, between=after(before_the_menus(plan), half_removed))
    assert sum("the menu of the last run stays" in each for each in said) == 2
    with pair.mirror_seen() as mirror:
        assert SECOND not in menu_of(mirror)
        assert has_kernel(mirror, FIRST)


def test_the_kernels_of_a_menu_that_stays_are_not_pruned(pair: DiskPair) -> None:
    """One upgrade has taken last night's kernel away, and stands before 'update-grub'."""

    def upgrade() -> None:
        install_kernel(pair, SECOND)
        remove_kernel(pair, FIRST, menu=False)
        (pair.root / "boot/grub/grub.cfg").write_text("menuentry 'half a me")

    plan = night(pair)
    carry_out(pair, plan, between=after(before_the_menus(plan), upgrade))
    with pair.mirror_seen() as mirror:
        assert FIRST in menu_of(mirror)
        assert has_kernel(mirror, FIRST)
    install_kernel(pair, THIRD)
    carry_out(pair, night(pair))
    with pair.mirror_seen() as mirror:
        assert not has_kernel(mirror, FIRST)
        assert has_kernel(mirror, SECOND)
        assert has_kernel(mirror, THIRD)


@pytest.mark.parametrize("bad", ["", "\x00" * 400, "menuentry 'x' {\n linux /vml", None])
def test_a_menu_that_cannot_be_read_is_said_and_yesterdays_stays(
    pair: DiskPair, bad: str | None
) -> None:
    with pair.mirror_seen() as mirror:
        good = menu_of(mirror)
    menu = pair.root / "boot/grub/grub.cfg"
    menu.unlink()
    if bad is not None:
        menu.write_text(bad)
    said = carry_out(pair, night(pair))
    assert any("the menu of the last run stays" in each for each in said)
    with pair.mirror_seen() as mirror:
        assert menu_of(mirror) == good


def test_where_there_is_no_good_menu_the_source_s_is_written_for_the_audit_to_judge(
    pair: DiskPair,
) -> None:
    with pair.mirror_seen() as mirror:
        (mirror / "boot/grub/grub.cfg").write_text("")
    (pair.root / "boot/grub/grub.cfg").write_text("menuentry 'x' {\n linux /vml")
    carry_out(pair, night(pair))
    with pair.mirror_seen() as mirror:
        assert menu_of(mirror) == "menuentry 'x' {\n linux /vml"


def test_a_stale_entry_of_the_source_holds_no_menu_back(pair: DiskPair) -> None:
    install_kernel(pair, SECOND)
    carry_out(pair, night(pair))
    for path in (pair.root / "boot").glob(f"*-{FIRST}"):
        path.unlink()
    menu = pair.root / "boot/grub/grub.cfg"
    menu.write_text(f"{menu.read_text()}# touched\n")
    carry_out(pair, night(pair))
    with pair.mirror_seen() as mirror:
        assert menu_of(mirror).endswith("# touched\n")
        assert has_kernel(mirror, FIRST), "what the menu names stays, though the source lost it"


def test_an_old_kernel_without_modules_holds_no_menu_back(pair: DiskPair) -> None:
    """No initramfs is made for it: what a menu says of it is no reason to keep an old one."""
    install_kernel(pair, SECOND)
    modules = pair.root / f"usr/lib/modules/{FIRST}"
    for path in sorted(modules.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    modules.rmdir()
    said = carry_out(pair, night(pair))
    assert not any("changed while" in each or "stays" in each for each in said)
    with pair.mirror_seen() as mirror:
        assert SECOND in menu_of(mirror)
        assert has_kernel(mirror, SECOND)

"""What the wizard shows, as text on a terminal of 80 columns."""

import io
from dataclasses import replace

from rich.console import Console, RenderableType

from rescue.model.storage.disk import TableKind
from rescue.model.storage.layer import Container
from rescue.model.storage.machine import Machine
from rescue.model.wizard import Choice, Command
from rescue.ui.plan import render_plan
from rescue.ui.wizard import (
    changes,
    choice_line,
    command_lines,
    render_choice,
    render_losses,
    render_machine,
)
from rescue.units import Bytes
from rescue.wizard.candidates import mirror_choice
from tests.builders import (
    NEW_IDS,
    bare_disk,
    layered,
    prepared,
    server,
    unplugged,
    volume,
    with_disk,
)


def shown(what: RenderableType, *, width: int = 80, letters: bool = False) -> list[str]:
    """Return the lines as a terminal of this width shows them."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii" if letters else "utf-8")
    Console(file=stream, width=width, color_system=None, highlight=False).print(what)
    stream.seek(0)
    return stream.read().splitlines()


def crowded() -> Machine:
    """Return a server with a bare disk, one that is too small, and one that holds data."""
    small = replace(bare_disk("/dev/sdc", "SMALL01", size=Bytes(10**9)), transport="usb")
    old = replace(unplugged(server().disks[0], "/dev/sdd"), id=bare_disk("", "OLD0001").id)
    return server(TableKind.GPT, bare_disk(), small, old)


def choice() -> Choice:
    return mirror_choice(crowded(), (), new_ids=NEW_IDS)


def test_every_disk_has_its_name_above_its_picture() -> None:
    lines = shown(render_machine(crowded()))
    assert lines[0] == "/dev/vda  SRC0001  6.0 GiB  QEMU  virtio  [runs this system]"
    assert lines[5] == "/dev/vdb  MIR0001  6.0 GiB  QEMU  virtio"
    assert len(lines) == 4 * 5
    assert max(map(len, lines)) == 80


def test_what_speaks_for_and_against_is_said_in_words_and_marks() -> None:
    lines = shown(render_choice(choice(), crowded()))
    assert "/dev/vdb  MIR0001  6.0 GiB  QEMU  virtio  [can be chosen]" in lines
    assert "  + large enough (needs 5.0 GiB), not in use, empty" in lines
    assert "/dev/sdc  SMALL01  953.7 MiB  QEMU  usb  [cannot be chosen]" in lines
    assert any(line.startswith("  - /dev/sdc is too small") for line in lines)
    assert "  ! holds 6 partitions that would be lost" in lines
    assert "  - /dev/vda is the disk this machine runs from" in lines
    assert max(map(len, lines)) <= 80


def test_a_disk_in_use_does_not_fill_the_screen_with_its_reasons() -> None:
    only_one = mirror_choice(server(), (), new_ids=NEW_IDS)
    lines = shown(render_choice(only_one, crowded()))
    assert any("more reasons" in line for line in lines)
    # With its news, its question and two answers it is seen at once on 24 lines.
    assert len(lines) <= 24 - 6


def test_what_stands_against_every_disk_comes_first_with_what_to_do() -> None:
    machine = replace(server(), missing_tools=(("rsync", "rsync"),))
    lines = shown(render_choice(mirror_choice(machine, (), new_ids=NEW_IDS), machine))
    assert lines[1:3] == ["  - the program rsync is not installed", "    apt install rsync"]


def test_a_console_without_lines_gets_letters_alone() -> None:
    lines = shown(render_choice(choice(), crowded()), letters=True)
    assert all(line.isascii() for line in lines)
    assert any(line.startswith("+--+--+----+") for line in lines)


def test_the_losses_are_listed_before_they_are_given_up() -> None:
    old = choice().choosable[-1]
    lines = shown(render_losses(old))
    assert lines[0] == "What is on /dev/sdd (OLD0001) will all be lost:"
    assert any("'home'" in line for line in lines)
    assert choice_line(old) == "/dev/sdd  OLD0001  6.0 GiB, QEMU (holds data)"


def test_a_step_is_said_as_a_command_for_people_and_for_scripts() -> None:
    command = Command(
        attended=("prepare", "a b"), scripted=("prepare", "a b", "--yes", "--expect-serial", "a b")
    )
    assert command_lines(command) == (
        "  this is:      rescue prepare 'a b'",
        "  in a script:  rescue prepare 'a b' --yes --expect-serial 'a b'",
    )
    same = Command(attended=("mirror",), scripted=("mirror",))
    assert command_lines(same) == ("  this is:      rescue mirror",)


def test_disks_that_come_and_go_are_named() -> None:
    before = server()
    assert changes(before, before) == ()
    other = bare_disk("/dev/vdc", "NEW0001")
    after = with_disk(before, other)
    assert changes(before, after) == ("plugged in: /dev/vdc (NEW0001, 6.0 GiB)",)
    assert changes(after, before) == ("gone: /dev/vdc (NEW0001, 6.0 GiB)",)
    swapped = with_disk(before, bare_disk("/dev/vdb", "ELSE001"))
    assert changes(before, swapped) == (
        "gone: /dev/vdb (MIR0001, 6.0 GiB)",
        "plugged in: /dev/vdb (ELSE001, 6.0 GiB)",
    )
    card = with_disk(before, bare_disk(size=1024**3))
    assert changes(before, card) == ("changed: /dev/vdb (MIR0001, 1.0 GiB)",)


def test_layers_are_shown_with_a_plan_where_there_are_any() -> None:
    plan = prepared(server())
    assert "As it is now:" not in shown(render_plan(plan, server()))
    held = replace(bare_disk(), content=Container(kind="LVM2_member"))
    data = replace(volume("/dev/mapper/vg-data", "/dev/vdb"), name="vg/data", size=Bytes(1 << 30))
    lines = shown(render_plan(plan, layered(with_disk(server(), held), data)))
    start = lines.index("As it is now:")
    assert lines[start + 1] == "/dev/vda, 6.0 GiB:"
    assert "  4: 3.0 GiB ext4 on /" in lines
    end = lines.index("/dev/vdb, 6.0 GiB:")
    assert lines[end + 1 : end + 3] == ["  LVM2_member", "    vg/data: 1.0 GiB LVM volume"]
    assert max(map(len, lines)) <= 80


def test_a_plan_is_readable_on_80_columns_and_ends_with_the_disk_s_identity() -> None:
    plan = prepared(server())
    lines = shown(render_plan(plan, server()))
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "Disk: /dev/vdb, identity MIR0001"
    whole = "\n".join(lines)
    guid = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
    assert f"2: type {guid} 'EFI System Partition'" in whole
    # Nothing is left out of it: the wide form says the same in one table.
    wide = "\n".join(shown(render_plan(plan, server()), width=200))
    for part in ("6291456", guid, "9437184", "/home", "126.0 MiB"):
        assert part in whole
        assert part in wide

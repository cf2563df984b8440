"""Small pure pieces of planning: the brake, and which file system a path lies on."""

import pytest

from rescue.errors import ExitCode
from rescue.model.boot.files import whole_tree_patterns
from rescue.model.mirror.record import FilesystemPair
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.mount import holder_of
from rescue.model.storage.place import OnPartition
from rescue.plan.checks.brake import check_brake
from rescue.plan.steps.exclude import excluded, relative
from tests.builders import enrolled


@pytest.mark.parametrize(
    ("total", "changes", "deletions"),
    [
        (100_000, 12_500, 12_500),
        (100_000, 0, 10_000),
        (30_000, 10_000, 0),
        (10, 10, 10),
        (0, 0, 10_000),
        (1_000_000, 0, 200_000),
    ],
)
def test_the_brake_lets_a_run_pass(total: int, changes: int, deletions: int) -> None:
    assert check_brake(files_total=total, changes=changes, deletions=deletions) is None


@pytest.mark.parametrize(
    ("total", "changes", "deletions"),
    [
        (100_000, 12_500, 12_501),
        (30_000, 0, 10_001),
        (30_000, 10_001, 0),
        (0, 0, 10_001),
    ],
)
def test_the_brake_stops_a_run(total: int, changes: int, deletions: int) -> None:
    refusal = check_brake(files_total=total, changes=changes, deletions=deletions)
    assert refusal is not None
    assert refusal.code is ExitCode.BRAKE
    assert "--accept-changes" in refusal.hint


def test_the_brake_s_limits_are_settings() -> None:
    assert check_brake(files_total=100, changes=11, deletions=0, share=0.1, count=10) is not None
    assert check_brake(files_total=100, changes=11, deletions=0, share=0.2, count=10) is None


def pairs(*points: str) -> tuple[FilesystemPair, ...]:
    return tuple(
        FilesystemPair(
            mount_point=point,
            kind=FsKind.EXT4,
            place=OnPartition(number=number),
            source_uuid="s",
            mirror_uuid="m",
            mirror_partuuid="p",
        )
        for number, point in enumerate(points, start=1)
    )


@pytest.mark.parametrize(
    ("path", "at", "inside"),
    [
        ("/etc/fstab", "/", "/etc/fstab"),
        ("/boot/grub/grub.cfg", "/boot", "/grub/grub.cfg"),
        ("/boot/efi/EFI/*/grub.cfg", "/boot/efi", "/EFI/*/grub.cfg"),
        ("/bootstrap", "/", "/bootstrap"),
        ("/home", "/home", "/"),
    ],
)
def test_a_path_lies_on_the_deepest_mount(path: str, at: str, inside: str) -> None:
    points = ("/", "/boot", "/boot/efi", "/home")
    assert holder_of(path, points) == at
    assert relative(path, at) == inside


@pytest.mark.parametrize(
    ("points", "esp", "prune_last"),
    [
        (("/",), "", {"/": ("/boot", "/usr/lib/modules")}),
        (("/", "/boot"), "", {"/": ("/usr/lib/modules",), "/boot": ("/",)}),
        (("/", "/efi"), "/efi", {"/": ("/boot", "/usr/lib/modules"), "/efi": ("/",)}),
        (("/", "/usr"), "", {"/": ("/boot",), "/usr": ("/lib/modules",)}),
        (
            ("/", "/boot/efi"),
            "/boot/efi",
            {"/": ("/boot", "/usr/lib/modules"), "/boot/efi": ("/",)},
        ),
    ],
)
def test_kernels_and_modules_are_pruned_late(
    points: tuple[str, ...], esp: str, prune_last: dict[str, tuple[str, ...]]
) -> None:
    found = excluded(pairs(*points), protect=(), files=(), esp=esp)
    assert {each.mount_point: each.prune_last for each in found} == prune_last


def test_a_swap_file_with_wildcards_in_its_name_keeps_only_itself() -> None:
    found = excluded(pairs("/"), protect=(), files=("/swap[1]*", "/swapfile"), esp="")
    assert found[0].protect == (r"/swap\[1]\*", "/swapfile")


def test_the_esp_s_patterns_follow_its_mount_point() -> None:
    assert "/efi/EFI/*/grub.cfg" in whole_tree_patterns("/efi")
    assert not [each for each in whole_tree_patterns("") if "/EFI/" in each]


def test_nothing_is_guessed_of_a_path_that_lies_nowhere() -> None:
    with pytest.raises(ValueError, match="empty"):
        holder_of("home/anna", ("/boot",))


def test_a_record_and_a_machine_tell_the_file_system_of_a_path_alike() -> None:
    there = enrolled()
    for path, point in (("/boot/grub/grub.cfg", "/boot"), ("/homes", "/"), ("/home", "/home")):
        assert there.record.holder_of(path).mount_point == point
        seen = there.machine.mount_holding(path)
        assert seen is not None
        assert seen.target == point

"""What a mirror tells the boot menu, judged by GRUB's own editor of such blocks."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.model.boot.firmware import BootTimes
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.mirror.secret import Secret
from rescue.model.run.exposure import Proven
from rescue.model.storage.disk import TableKind
from rescue.paths import OWN_FOLDER
from rescue.store.records import save_marker
from rescue.text.grub_env import boot_note, environment_block, menu_name
from tests.builders import enrolled

NIGHT = 1795490100.0  # 2026-11-24 03:15 UTC


def complete(kind: TableKind = TableKind.GPT) -> MirrorRecord:
    return replace(enrolled(kind).record, state=MirrorState.COMPLETE, last_complete=NIGHT)


def as_grub_reads(block: bytes, folder: Path) -> dict[str, str]:
    """Return the variables as grub-editenv lists them."""
    path = folder / "block.env"
    path.write_bytes(block)
    argv = ["grub-editenv", str(path), "list"]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in shown.splitlines())


def test_the_note_says_whose_the_mirror_is_and_when_it_was_complete(tmp_path: Path) -> None:
    record = complete()
    boot = next(pair for pair in record.filesystems if pair.mount_point == "/boot")
    assert as_grub_reads(boot_note(record), tmp_path) == {
        "mirror_note": "1",
        "mirror_host": "server",
        "mirror_machine": record.machine_id,
        "mirror_name": "MIR0001",
        "mirror_who": "MIR0001",
        "mirror_state": "complete",
        "mirror_generation": "3",
        "mirror_complete": "20261124T031500Z",
        "mirror_proof": "",
        "mirror_shown": "2026-11-24 03:15 UTC",
        "mirror_token": "",
        "mirror_boot_uuid": boot.mirror_uuid,
        "mirror_grub": "/grub",
    }


def test_the_note_tells_of_the_proof_of_its_own_generation_alone(tmp_path: Path) -> None:
    record = complete()
    last = Proven(generation=record.generation, at=NIGHT, times=BootTimes(total=9.0), cause="GRUB")
    for proof, said in (
        (last, "failed"),
        (replace(last, cause=""), "passed"),
        (replace(last, generation=record.generation - 1), ""),
    ):
        seen = as_grub_reads(boot_note(replace(record, last_proof=proof)), tmp_path)
        assert seen["mirror_proof"] == said


def test_without_a_boot_partition_the_menu_lies_on_the_root(tmp_path: Path) -> None:
    record = complete()
    bare = replace(record, filesystems=(record.root,))
    seen = as_grub_reads(boot_note(bare), tmp_path)
    assert seen["mirror_boot_uuid"] == record.root.mirror_uuid
    assert seen["mirror_grub"] == "/boot/grub"


def test_a_mirror_that_was_never_complete_sorts_last(tmp_path: Path) -> None:
    seen = as_grub_reads(boot_note(enrolled().record), tmp_path)
    assert (seen["mirror_state"], seen["mirror_complete"]) == ("new", "")
    assert seen["mirror_shown"] == "never"


def test_the_text_of_the_time_sorts_as_the_time_does() -> None:
    def stamp(seconds: float) -> bytes:
        lines = boot_note(replace(complete(), last_complete=seconds)).splitlines()
        return next(line for line in lines if line.startswith(b"mirror_complete"))

    times = [1.0, 86399.0, 86400.0, NIGHT, NIGHT + 1]
    assert sorted(times, key=stamp) == times


@pytest.mark.parametrize(
    "name", ["$(halt)", "`halt`", "a'b", 'a"b', "back\\slash", "a#b", "a=b", "ü", "{ reboot; }"]
)
def test_no_name_is_more_than_a_text_to_grub(name: str, tmp_path: Path) -> None:
    seen = as_grub_reads(environment_block({"mirror_host": name, "next": "kept"}), tmp_path)
    assert seen == {"mirror_host": name, "next": "kept"}


def test_a_name_cannot_bring_a_variable_of_its_own(tmp_path: Path) -> None:
    block = environment_block({"mirror_host": "x\nmirror_state=complete\x00\x1b[2J"})
    assert list(as_grub_reads(block, tmp_path)) == ["mirror_host"]


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.text(max_size=400)))
def test_a_block_is_always_whole_units_and_never_full(values: dict[str, str]) -> None:
    block = environment_block(values)
    assert len(block) % 1024 == 0
    assert block.startswith(b"# GRUB Environment Block\n")
    assert block.endswith(b"#")


def test_the_note_lies_beside_the_marker_for_root_alone(tmp_path: Path) -> None:
    save_marker(tmp_path, replace(complete(), state=MirrorState.RUNNING))
    note = tmp_path / OWN_FOLDER / "mirror.env"
    assert b"mirror_state=running\n" in note.read_bytes()
    assert note.stat().st_mode & 0o777 == 0o600

    save_marker(tmp_path, complete())
    assert b"mirror_state=complete\n" in note.read_bytes()


def test_a_mirror_with_a_name_of_its_own_is_told_by_its_disk_too() -> None:
    assert menu_name(complete()) == "MIR0001"
    assert menu_name(replace(complete(), name="cellar")) == "cellar, MIR0001"


def test_a_medium_knows_the_mirror_by_a_token_that_does_not_tell_the_secret(
    tmp_path: Path,
) -> None:
    secret = Secret.draw()
    record = replace(complete(), secret=secret)
    told = as_grub_reads(boot_note(record), tmp_path)["mirror_token"]
    assert told == secret.token
    assert len(told) == 32
    assert told not in secret.text
    assert Secret.draw().token != told

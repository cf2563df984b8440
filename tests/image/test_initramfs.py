"""An initramfs translated in place: packed and unpacked by the tools that packed it."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.errors import RescueError
from rescue.system.boot import initramfs
from rescue.system.boot.initramfs import InitramfsError, members, translate
from tests.fabricated_mirror import cpio, initramfs_files, mirror_uuid, source_uuid

OLD, NEW = source_uuid(6).encode(), mirror_uuid(6).encode()
WORDS = {OLD: NEW, OLD.upper(): NEW.upper()}
MICROCODE = cpio({"kernel/x86/microcode/GenuineIntel.bin": b"\1" * 100})
FILES = {
    **initramfs_files("6.1.0-18-amd64"),
    "conf/conf.d/resume": b"RESUME=UUID=" + OLD + b"\n",
    "usr/bin/tool": b"\x7fELF\0" + OLD.upper() + b"\0\xff",
}


@pytest.mark.parametrize("packer", ["zstd -q", "gzip", "xz --check=crc32", "lz4 -q -l"])
@pytest.mark.parametrize("first", [MICROCODE, b""])
def test_each_identifier_is_replaced_and_nothing_else(
    tmp_path: Path, packer: str, first: bytes
) -> None:
    if shutil.which(packer.split()[0]) is None:
        pytest.skip(f"{packer.split()[0]} is not installed")
    image, fresh = tmp_path / "initrd", tmp_path / "fresh"
    packed = subprocess.run(packer.split(), input=cpio(FILES), capture_output=True, check=True)
    image.write_bytes(first + packed.stdout)

    translate(image, fresh, WORDS)

    seen = {member.name: member.data for member in members(fresh)}
    wanted = {
        name: data.replace(OLD, NEW).replace(OLD.upper(), NEW.upper())
        for name, data in FILES.items()
    }
    assert {name: seen[name] for name in FILES} == wanted
    assert fresh.read_bytes().startswith(first)
    assert packer.split()[0] == "lz4" or fresh.read_bytes()[len(first) :][:4] == packed.stdout[:4]


def test_an_image_that_is_cut_off_is_not_translated(tmp_path: Path) -> None:
    image = tmp_path / "initrd"
    packed = subprocess.run(["gzip"], input=cpio(FILES), capture_output=True, check=True).stdout
    image.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(RescueError):
        translate(image, tmp_path / "fresh", WORDS)


def test_an_unknown_packing_is_said(tmp_path: Path) -> None:
    (tmp_path / "initrd").write_bytes(MICROCODE + b"no archive at all")
    with pytest.raises(InitramfsError, match="compressed in an unknown way"):
        translate(tmp_path / "initrd", tmp_path / "fresh", WORDS)


def test_a_word_of_another_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="length"):
        translate(tmp_path / "initrd", tmp_path / "fresh", {b"old": b"newer"})


@given(
    parts=st.lists(
        st.sampled_from([OLD, OLD.upper(), NEW, OLD[:20], b"x", b"\0" * 7]), max_size=40
    ),
    chunk=st.integers(min_value=1, max_value=100),
)
def test_borders_between_chunks_hide_nothing(parts: list[bytes], chunk: int) -> None:
    data = b"".join(parts)
    stream = _Slow(data, chunk)
    assert b"".join(initramfs._replaced(stream, WORDS)) == initramfs.replaced(data, WORDS)


class _Slow(io.BytesIO):
    """A stream that gives a few bytes at a time."""

    def __init__(self, data: bytes, chunk: int) -> None:
        super().__init__(data)
        self._chunk = chunk

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._chunk)


@pytest.mark.parametrize("field", range(13))
@pytest.mark.parametrize(
    "text", [b"-0000001", b"+0000001", b" 0000001", b"0000_001", b"0x000001", b"nonsense"]
)
def test_a_bad_field_of_a_header_is_damage(tmp_path: Path, field: int, text: bytes) -> None:
    image = tmp_path / "initrd"
    data = bytearray(cpio({"a": b"x", "b": b"y"}))
    data[6 + 8 * field : 14 + 8 * field] = text
    image.write_bytes(data)
    with pytest.raises(InitramfsError, match="header is damaged"):
        list(members(image))

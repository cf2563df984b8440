"""The header of a container that cryptsetup itself made, on a file: nothing is opened."""

import subprocess
from pathlib import Path

import pytest

from rescue.discover.contents import read_content
from rescue.model.storage.layer import LUKS, Container
from rescue.system.process.run import which
from tests.builders import uuid

pytestmark = pytest.mark.skipif(which("cryptsetup") is None, reason="cryptsetup is not installed")

CHEAP = ("--batch-mode", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")


@pytest.mark.parametrize("version", [1, 2])
def test_what_was_asked_for_is_what_is_read(tmp_path: Path, version: int) -> None:
    image, key = tmp_path / "image", tmp_path / "key"
    key.write_text("correct horse")
    with image.open("wb") as stream:
        stream.truncate(64 * 1024 * 1024)
    given = ["--type", f"luks{version}", "--uuid", uuid(1), "--cipher", "aes-cbc-plain64"]
    # By itself cryptsetup takes the blocks of the file's own file system.
    given += ["--sector-size", "512"] if version == 2 else []
    argv = ["cryptsetup", "luksFormat", *CHEAP, *given, "--key-size", "256", str(image), str(key)]
    subprocess.run(argv, check=True)
    seen = read_content(str(image), told=None)
    assert isinstance(seen, Container)
    assert (seen.kind, seen.uuid) == (LUKS, uuid(1))
    assert seen.luks is not None
    assert seen.luks.words == f"LUKS {version}, aes-cbc-plain64, 256 bits, 1 keyslot"


def test_a_header_that_cannot_be_read_is_not_told(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"LUKS\xba\xbe\x00\x02" + bytes(1 << 20))
    seen = read_content(str(image), told=None)
    assert not isinstance(seen, Container) or seen.luks is None

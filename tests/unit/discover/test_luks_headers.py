"""Headers of LUKS devices, as cryptsetup 2.6.1 prints them."""

import json
from pathlib import Path
from typing import Any

import pytest

from rescue.errors import RescueError
from rescue.model.storage.luks import LuksHeader, LuksKeyslot, LuksToken
from rescue.system.block.luks import parse_json, parse_text

DATA = Path(__file__).parents[2] / "data/discover"
TWO = (DATA / "luks2-dump.json").read_text("utf-8")
ONE = (DATA / "luks1-dump.txt").read_text("utf-8")


def changed(**parts: Any) -> str:
    """Return the recorded header of LUKS 2 with some of its parts replaced."""
    return json.dumps(json.loads(TWO) | parts)


def test_luks_2_tells_sectors_ways_to_open_it_and_what_opens_it_without_a_person() -> None:
    assert parse_json(TWO) == LuksHeader(
        version=2,
        cipher="aes-xts-plain64",
        key_bits=512,
        sector_size=4096,
        keyslots=(
            LuksKeyslot(number=0, kdf="argon2id", memory=65536),
            LuksKeyslot(number=1, kdf="pbkdf2"),
        ),
        tokens=(
            LuksToken(type="luks2-keyring", keyslots=(0, 1)),
            LuksToken(type="systemd-tpm2", keyslots=(1,)),
        ),
    )


def test_luks_1_tells_cipher_and_the_keyslots_in_use() -> None:
    slots = (LuksKeyslot(number=0, kdf="pbkdf2"), LuksKeyslot(number=1, kdf="pbkdf2"))
    assert parse_text(ONE) == LuksHeader(
        version=1, cipher="aes-xts-plain64", key_bits=512, keyslots=slots
    )


def test_a_header_in_words() -> None:
    assert parse_json(TWO).words == (
        "LUKS 2, aes-xts-plain64, 512 bits, sectors of 4096, 2 keyslots, kernel keyring, TPM2"
    )
    assert parse_text(ONE).words == "LUKS 1, aes-xts-plain64, 512 bits, 2 keyslots"


def test_a_container_without_a_keyslot_is_no_error() -> None:
    assert parse_json(changed(keyslots={}, tokens={})).words == (
        "LUKS 2, aes-xts-plain64, 0 bits, sectors of 4096, 0 keyslots"
    )


@pytest.mark.parametrize("text", ["", "{}", "[]", ONE, changed(segments={})])
def test_what_is_no_header_of_luks_2_is_not_understood(text: str) -> None:
    with pytest.raises(RescueError, match="did not answer with the header"):
        parse_json(text)


@pytest.mark.parametrize("text", ["", TWO, ONE.replace("\t1\n", "\t2\n", 1)])
def test_what_is_no_text_of_luks_1_is_not_understood(text: str) -> None:
    with pytest.raises(RescueError, match="did not answer with the header"):
        parse_text(text)

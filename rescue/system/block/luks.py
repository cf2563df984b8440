"""The door to cryptsetup (man 8 cryptsetup): what the header of a LUKS device says.

LUKS 2 is told as JSON, as its specification has it. For LUKS 1 cryptsetup has none, and its text is
read.
"""

import json
import re
from typing import Any

from rescue.errors import RescueError
from rescue.model.storage.luks import LuksHeader, LuksKeyslot, LuksToken
from rescue.system.process.answer import count_of, text_of, understood
from rescue.system.process.run import CommandError, run

_NO_HEADER = "cryptsetup did not answer with the header of a LUKS device"
_REPORT = "report this with the output of 'cryptsetup luksDump'"
_FIELD = re.compile(r"^([A-Z][A-Za-z ]+):[ \t]*(.*)$", re.MULTILINE)
_SLOT = re.compile(r"^Key Slot (\d+): ENABLED$", re.MULTILINE)


def json_argv(path: str) -> list[str]:
    """Return the command that prints a header of LUKS 2; no key is in it."""
    return ["cryptsetup", "luksDump", "--dump-json-metadata", path]


def text_argv(path: str) -> list[str]:
    """Return the command that prints any header for people."""
    return ["cryptsetup", "luksDump", path]


def read_header(path: str) -> LuksHeader:
    """Return what the header on a device or in a file says.

    Raises RescueError where it cannot be read (CommandError), or is not understood.
    """
    try:
        told = run(json_argv(path)).stdout
    except CommandError:
        return parse_text(run(text_argv(path)).stdout)
    return parse_json(told)


def parse_json(text: str) -> LuksHeader:
    """Given the metadata of LUKS 2, return the header. Raises RescueError for anything else."""
    with understood(_NO_HEADER, hint=_REPORT):
        told: dict[str, dict[str, Any]] = json.loads(text)
        # One segment is what is used; while a device is encrypted anew it has more.
        segment, *_ = (each for each in told["segments"].values() if each["type"] == "crypt")
        slots = sorted(told["keyslots"].items(), key=lambda each: int(each[0]))
        sizes = [count_of(each, "key_size", 0) for _, each in slots]
        return LuksHeader(
            version=2,
            cipher=text_of(segment, "encryption"),
            key_bits=8 * max(sizes, default=0),
            sector_size=count_of(segment, "sector_size"),
            keyslots=tuple(_keyslot(int(number), each) for number, each in slots),
            tokens=tuple(_token(each) for _, each in sorted(told["tokens"].items())),
        )


def _keyslot(number: int, told: dict[str, Any]) -> LuksKeyslot:
    # A slot that keeps the state of a device that is encrypted anew has no such function.
    kdf = told.get("kdf", {"type": told["type"]})
    return LuksKeyslot(number=number, kdf=text_of(kdf, "type"), memory=count_of(kdf, "memory", 0))


def _token(told: dict[str, Any]) -> LuksToken:
    slots = tuple(int(number) for number in told["keyslots"])
    return LuksToken(type=text_of(told, "type"), keyslots=slots)


def parse_text(text: str) -> LuksHeader:
    """Given cryptsetup's text of a header of LUKS 1, return it. Raises RescueError otherwise."""
    told = {key: value.strip() for key, value in _FIELD.findall(text)}
    if told.get("Version") != "1":
        raise RescueError(_NO_HEADER, hint=_REPORT)
    with understood(_NO_HEADER, hint=_REPORT):
        slots = (int(number) for number in _SLOT.findall(text))
        return LuksHeader(
            version=1,
            cipher=f"{told['Cipher name']}-{told['Cipher mode']}",
            key_bits=int(told["MK bits"]),
            keyslots=tuple(LuksKeyslot(number=number, kdf="pbkdf2") for number in slots),
        )

"""The environment block by which a mirror speaks to the medium's menu: data that GRUB reads.

GRUB loads named variables from it (`load_env --file`, GRUB manual, 'The GRUB environment block'):
nothing in it is ever executed, whatever a host is called. `grub-editenv FILE list` shows it.
"""

import re
from datetime import UTC, datetime
from pathlib import PurePosixPath

from rescue.model.mirror.record import FilesystemPair, MirrorRecord
from rescue.printable import printable

_SIGNATURE = "# GRUB Environment Block\n"
_UNIT = 1024
"""grub-editenv makes blocks of this size, filled up with '#'."""

_GRUB = PurePosixPath("/boot/grub")


def boot_note(record: MirrorRecord) -> bytes:
    """Return the environment block of a mirror: whose it is, how good, and where its menu lies.

    `mirror_who` is what its entry is called by. `mirror_complete` sorts as text ('' before the
    first complete run); `mirror_boot_uuid` is of the file system that holds `mirror_grub`, the
    folder of its grub.cfg. `mirror_proof` is 'failed' where the last complete run was seen not to
    boot, 'passed' where it was seen to, else ''. By `mirror_token` a medium knows the mirrors of
    its machine.
    """
    boot = menu_holder(record)
    done = datetime.fromtimestamp(record.last_complete, UTC) if record.last_complete else None
    return environment_block(
        {
            "mirror_note": "1",
            "mirror_host": record.host,
            "mirror_machine": record.machine_id,
            "mirror_name": record.name,
            "mirror_who": menu_name(record),
            "mirror_state": record.state.value,
            "mirror_generation": str(record.generation),
            "mirror_complete": f"{done:%Y%m%dT%H%M%SZ}" if done else "",
            "mirror_proof": _proof(record),
            "mirror_shown": f"{done:%Y-%m-%d %H:%M} UTC" if done else "never",
            "mirror_boot_uuid": boot.mirror_uuid,
            "mirror_token": record.secret.token,
            "mirror_grub": f"/{_GRUB.relative_to(boot.mount_point)}",
        }
    )


def menu_name(record: MirrorRecord) -> str:
    """Return the name that tells mirrors apart: the mirror's own, with its disk's serial."""
    serial = record.mirror.id.name
    return record.name if serial in ("", record.name) else f"{record.name}, {serial}"


def _proof(record: MirrorRecord) -> str:
    if record.proof is None:
        return ""
    return "passed" if record.proof.passed else "failed"


def environment_block(values: dict[str, str]) -> bytes:
    """Return a GRUB environment block with these variables, each on a line of its own."""
    lines = [f"{name}={_escaped(value)}\n" for name, value in values.items()]
    block = "".join([_SIGNATURE, *lines]).encode()
    # One '#' at least: a block without any is full, and grub-editenv could not add to it.
    return block + b"#" * (_UNIT - len(block) % _UNIT)


def parse_environment(text: str) -> dict[str, str]:
    """Given the text of an environment block, return its variables."""
    pairs = (line.partition("=") for line in text.split("\n") if not line.startswith("#"))
    return {name: re.sub(r"\\(.)", r"\1", value) for name, equals, value in pairs if equals}


def menu_holder(record: MirrorRecord) -> FilesystemPair:
    """Return the file system that holds /boot/grub."""
    return record.holder_of(str(_GRUB))


def _escaped(value: str) -> str:
    return printable(value).replace("\\", "\\\\")

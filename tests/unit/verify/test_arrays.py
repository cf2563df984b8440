"""A mirror of a server on RAID: the audit sees to it that it starts no array of the server's."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.model.finding import Finding, Severity
from rescue.model.mirror.identifiers import IdentifierMap
from rescue.text.mdadm_conf import ALONE
from rescue.verify import essentials
from rescue.verify.audit import audit
from tests.fabricated_mirror import KERNELS, FabricatedMirror, elf, fabricate, initramfs

ARRAY = "1f2e3d4c:5b6a7988:97a6b5c4:d3e2f101"
CONF = "/etc/mdadm/mdadm.conf"
INSIDE = CONF.lstrip("/")
INITRD = f"/boot/initrd.img-{KERNELS[0]}"
NAMED = f"HOMEHOST <system>\nARRAY /dev/md1 UUID={ARRAY}\n"
WITH_MDADM = {"sbin/mdadm": elf("")}


@pytest.fixture(autouse=True)
def _owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests owns the fabricated root."""
    monkeypatch.setattr(essentials, "ROOT_OWNER", os.getuid())


@pytest.fixture
def mirror(tmp_path: Path) -> FabricatedMirror:
    """Give a good mirror of a server whose root is on an array."""
    made = fabricate(tmp_path)
    pairs = tuple(
        replace(pair, old=replace(pair.old, array=ARRAY)) if number == 4 else pair
        for number, pair in enumerate(made.record.identifiers.pairs)
    )
    record = replace(made.record, identifiers=IdentifierMap(pairs=pairs))
    made = replace(made, record=record)
    made.write("/usr/sbin/mdadm", elf(""), mode=0o755)
    made.write(CONF, ALONE)
    for version in KERNELS:
        held = initramfs(version, {**WITH_MDADM, INSIDE: ALONE.encode()})
        made.write(f"/boot/initrd.img-{version}", held)
    return made


def errors(mirror: FabricatedMirror) -> list[Finding]:
    found = audit(tree=mirror.tree, disk=mirror.disk, record=mirror.record)
    return [one for one in found if one.severity is Severity.ERROR]


def test_a_good_one_says_so(mirror: FabricatedMirror) -> None:
    found = audit(tree=mirror.tree, disk=mirror.disk, record=mirror.record)
    assert {one.severity for one in found} == {Severity.OK}
    assert "arrays" in [one.link for one in found]


@pytest.mark.parametrize(
    "text", ["HOMEHOST <system>\n", "AUTO +all\n", f"AUTO +1.x -all\n{ALONE}", ""]
)
def test_a_file_that_lets_mdadm_start_what_it_finds(mirror: FabricatedMirror, text: str) -> None:
    mirror.write(CONF, text)
    assert [(one.link, one.file) for one in errors(mirror)] == [("arrays", CONF)]


def test_a_file_that_names_an_array_of_the_source(mirror: FabricatedMirror) -> None:
    mirror.write(CONF, NAMED + ALONE)
    assert [(one.link, one.file) for one in errors(mirror)] == [("identifiers", CONF)]


@pytest.mark.parametrize("held", [{}, {INSIDE: b"HOMEHOST <system>\n"}])
def test_an_initramfs_that_lets_mdadm_start_what_it_finds(
    mirror: FabricatedMirror, held: dict[str, bytes]
) -> None:
    mirror.write(INITRD, initramfs(KERNELS[0], {**WITH_MDADM, **held}))
    assert [(one.link, one.file) for one in errors(mirror)] == [("arrays", INITRD)]


def test_an_initramfs_that_names_an_array_of_the_source(mirror: FabricatedMirror) -> None:
    named = (NAMED + ALONE).encode()
    mirror.write(INITRD, initramfs(KERNELS[0], {**WITH_MDADM, INSIDE: named}))
    assert [(one.link, one.file) for one in errors(mirror)] == [("initramfs", INITRD)]


@pytest.mark.parametrize(
    "without",
    [
        lambda mirror: (mirror.tree / "usr/sbin/mdadm").unlink(),
        lambda mirror: mirror.write(INITRD, initramfs(KERNELS[0])),
    ],
)
def test_where_no_mdadm_is_nothing_is_started(
    mirror: FabricatedMirror, without: Callable[[FabricatedMirror], None]
) -> None:
    without(mirror)
    assert errors(mirror) == []

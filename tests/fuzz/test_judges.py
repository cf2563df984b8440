"""What our own parsers read, beside what the programs read that go by it (strangers as judges)."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.system.block import blockinfo
from rescue.text.fstab import parse_fstab
from tests.fuzz.effort import FEW_TRIES

BLANKS = st.sampled_from([" ", "\t", "  \t "])
PIECES = st.sampled_from(
    [
        *"ab/=\"'#,.:-",
        "\\040",
        "\\011",
        "\\134",
        "\\",
        "\\04",
        "\xa0",
        "\u2028",
        "\x85",
        "\f",
        "\x1c",
    ]
)
WORDS = st.lists(PIECES, min_size=1, max_size=6).map("".join)
SPECS = st.one_of(
    WORDS,
    WORDS.map("LABEL={}".format),
    st.sampled_from(['UUID="5a5a-a5a5"', "/dev/vda1", "PARTUUID=x-01", "/swap\\040file"]),
)


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Draw a line of an fstab: two to four fields, or a comment."""
    fields = [
        draw(SPECS),
        f"/{draw(WORDS)}",
        "ext4",
        draw(st.sampled_from(["ro", "ro,user", "a#b"])),
    ]
    words = fields[: draw(st.integers(2, 4))]
    begin = draw(st.sampled_from(["", "", "", " ", "\t", "#", " # "]))
    return begin + "".join(word + draw(BLANKS) for word in words).rstrip(" \t")


@FEW_TRIES
@given(text=st.lists(lines(), max_size=5).map("\n".join), end=st.sampled_from(["", "\n", "\r\n"]))
def test_an_fstab_is_read_as_libmount_reads_it(
    tmp_path_factory: pytest.TempPathFactory, text: str, end: str
) -> None:
    path = Path(tmp_path_factory.getbasetemp(), "fstab")
    path.write_bytes(f"{text}{end}".encode())
    ours = parse_fstab(f"{text}{end}")
    theirs = blockinfo.fstab(str(path))
    assert [(each.target, each.fstype, each.options) for each in ours] == [
        (each.target.rstrip("/") or "/", each.fstype, each.options) for each in theirs
    ]
    assert [each.spec.replace('"', "") for each in ours] == [
        each.spec.replace('"', "") for each in theirs
    ]

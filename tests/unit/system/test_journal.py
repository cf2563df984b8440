"""Entries of the journal with fields, read back from the socket as journald reads them."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.errors import ExitCode
from rescue.system.notify import journal, journald
from rescue.system.notify.journal import MessageId


def decode(data: bytes) -> dict[str, str]:
    """Return the fields of an entry, as the protocol's description says."""
    fields, rest = {}, data
    while rest:
        line, _, rest = rest.partition(b"\n")
        name, sep, value = line.partition(b"=")
        if not sep:
            size = int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + size], rest[8 + size + 1 :]
        fields[name.decode()] = value.decode("utf-8", "surrogateescape")
    return fields


@given(
    fields=st.dictionaries(
        st.sampled_from(["MESSAGE", "MIRROR", "EXIT_CODE"]),
        st.text() | st.text(alphabet="a=\n\0"),
    )
)
def test_whatever_a_field_holds_it_arrives(fields: dict[str, str]) -> None:
    assert decode(journald.encode(fields)) == fields


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A journal of this test's own."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.settimeout(10)
        monkeypatch.setattr(journald, "SOCKET", path)
        yield listening


def test_a_run_says_what_it_was_about(heard: socket.socket) -> None:
    journal.report_success("done", code=ExitCode.DEGRADED, mirror="M1", generation=7)
    fields = decode(heard.recv(65536))
    assert fields["MESSAGE"] == "done"
    assert (fields["MIRROR"], fields["GENERATION"], fields["EXIT_CODE"]) == ("M1", "7", "14")
    assert fields["PRIORITY"] == "4", "a warning: it is degraded"
    assert fields["SYSLOG_IDENTIFIER"] == "rescue"
    assert fields["MESSAGE_ID"] == MessageId.DONE.value


@pytest.mark.parametrize(
    ("code", "priority", "what"),
    [
        (ExitCode.SKIPPED, "5", MessageId.SKIPPED),
        (ExitCode.AUDIT_FAILED, "3", MessageId.FAILED),
    ],
)
def test_how_a_run_failed_is_an_error_and_a_skipped_one_is_not(
    heard: socket.socket, code: ExitCode, priority: str, what: MessageId
) -> None:
    journal.report_end("why\nand more", code=code)
    fields = decode(heard.recv(65536))
    assert (fields["PRIORITY"], fields["MESSAGE_ID"]) == (priority, what.value)
    assert fields["EXIT_CODE"] == str(int(code))
    assert fields["MESSAGE"].endswith(r"why\nand more")
    assert "MIRROR" not in fields


def test_a_message_too_long_for_the_socket_is_cut_and_not_lost(heard: socket.socket) -> None:
    journal.report_alarm("x" * 1_000_000, mirror="M1")
    fields = decode(heard.recv(1 << 20))
    assert 1000 < len(fields["MESSAGE"]) < 100_000
    assert fields["MIRROR"] == "M1"


def test_each_kind_of_entry_has_an_identifier_of_its_own() -> None:
    assert len({each.value for each in MessageId}) == len(MessageId)
    assert all(len(each.value) == 32 for each in MessageId)


def test_without_a_journal_nothing_is_claimed(tmp_path: Path) -> None:
    assert not journald.send({"MESSAGE": "m"}, tmp_path / "nobody")

"""Whatever a file, a disk or a program is called: at no door is anything of it obeyed.

Each door is given words that hold everything a terminal, a mail system, a browser or GRUB could
take for more than letters, and is looked at for what came out behind it.
"""

import io
import json
import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_string
from email.policy import default
from pathlib import Path
from unittest.mock import patch

from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

from rescue.apply.banner import banner
from rescue.errors import ExitCode, RescueError
from rescue.model.event import Notice, StepDone
from rescue.model.finding import Refusal
from rescue.model.storage.device import Device, DeviceKind
from rescue.model.storage.identity import DiskId
from rescue.printable import as_html, printable
from rescue.status.alarm import alarm_mail, hotplug_mail, hotplug_news
from rescue.status.metrics import exposition
from rescue.store.codec import to_json
from rescue.system.notify import journal, journald
from rescue.text.grub_env import environment_block
from rescue.ui import terminal
from rescue.ui.disks import disks_table
from rescue.ui.recovery_page import recovery_page
from rescue.ui.screen import Screen
from rescue.ui.status.frames import status_view
from rescue.ui.status.lines import status_lines
from rescue.ui.status.monitor import monitor_line
from rescue.ui.status.page import report
from tests.builders import enrolled, layered, server, with_disk
from tests.property.test_metrics import MIRROR, STATUS
from tests.unit.system.test_journal import decode

OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters but for tab and newline, other ends of lines, overrides of the direction of
writing, and what is no text at all."""

SPECIMENS = "\x00\x07\b\t\n\r\x1b\x7f\x9b\u200b\u2028\u202e\u2066\ud800\udcff\udc1b[]<>&\"'\\%$:|="
WORDS = st.text(max_size=12) | st.text(
    alphabet=st.characters(exclude_categories=()) | st.sampled_from(SPECIMENS), max_size=12
)
FORGED = "\x1b[2J\x1b]0;owned\x07\r\nGOOD: all is well\u202e[bold]x[/bold]:warning:\udcff"


def harmless(text: str, *, lines: int | None = None) -> bool:
    """Whether nothing in a text is obeyed, and it has that many lines."""
    return not OBEYED.search(text) and (lines is None or text.count("\n") == lines)


def screen(*, width: int = 0) -> tuple[Screen, io.StringIO]:
    """Return a screen as every command has it, as wide as a terminal if given, and its output."""
    out = io.StringIO()
    console = terminal.console(file=out)
    if width:
        console.width, console.soft_wrap = width, False
    return Screen(console=console, errors=console), out


@given(WORDS)
@example(FORGED)
def test_a_text_becomes_one_line_and_letters_stay_as_they_are(words: str) -> None:
    shown = printable(words)
    assert harmless(shown, lines=0)
    assert shown.isprintable()
    assert printable(shown) == shown
    assert shown == words or not words.isprintable()


def test_what_is_no_letter_stands_there_as_python_writes_it() -> None:
    assert printable("a\n\x1b[0m\u202e\udcff é漢 \ud800") == r"a\n\x1b[0m\u202e\xff é漢 \ud800"


@given(WORDS)
@example(FORGED)
def test_each_thing_that_is_said_on_the_terminal_is_one_line(words: str) -> None:
    there, out = screen()
    there.show(words)
    there.warn(words)
    there.fail(RescueError(words, hint="x" + words))
    there.refuse([Refusal(code=ExitCode.REFUSED, reason=words, hint="")])
    there.emit(Notice(message=words))
    there.emit(StepDone(number=1, total=2, title=words, seconds=1.0, detail=words))
    there.show(Text(words, style="bold red"))
    there.trace([words])
    assert harmless(out.getvalue(), lines=9)


@given(WORDS)
@example(FORGED)
def test_no_word_is_markup_on_the_terminal(words: str) -> None:
    there, out = screen()
    there.show(f"[bold]{words}[/bold] :warning:")
    assert out.getvalue().startswith("[bold]")
    assert out.getvalue().endswith("[/bold] :warning:\n")


@given(WORDS)
@example(FORGED)
def test_no_word_breaks_a_table_or_a_frame(words: str) -> None:
    def table(cell: str) -> Table:
        made = Table(title=cell)
        made.add_column(cell)
        made.add_row(cell)
        made.add_row(Group(Text(cell), Text("second")))
        return made

    there, out = screen(width=100)
    there.show(table(words))
    assert harmless(out.getvalue())
    assert len({cell_len(line) for line in out.getvalue().splitlines()}) == 1
    there, out = screen(width=100)
    odd = replace(MIRROR, name=words, disk=words, last_error=words)
    _, _, *frames = status_view(replace(STATUS, mirrors=(odd,)))
    for frame in frames:
        there.show(frame)
    assert harmless(out.getvalue())
    assert {cell_len(line) for line in out.getvalue().splitlines()} == {100}


@given(st.lists(WORDS.filter(bool), min_size=1, max_size=4))
@example([FORGED])
def test_colours_stay_on_the_letters_that_they_were_given_to(parts: list[str]) -> None:
    text = Text()
    for number, part in enumerate(parts):
        text.append(part, style=f"color({number})")
    shown = terminal.one_line(text)
    assert "".join(printable(char) for char in text.plain) == shown.plain
    for at, before in zip(shown.spans, text.spans, strict=True):
        letters = text.plain[before.start : before.end]
        assert shown.plain[at.start : at.end] == "".join(map(printable, letters))


@given(WORDS)
@example(FORGED)
def test_json_stays_exact(words: str) -> None:
    there, out = screen()
    there.show_plain(to_json(replace(STATUS, host=words)))
    assert out.getvalue().isascii()
    assert json.loads(out.getvalue())["host"] == json.loads(json.dumps(words))


@given(WORDS)
@example(FORGED)
def test_monitoring_gets_one_line(words: str) -> None:
    odd = replace(MIRROR, name=words, last_error=words)
    assert harmless(monitor_line(replace(STATUS, host=words, mirrors=(odd,))), lines=0)


@given(WORDS, st.lists(WORDS, min_size=1, max_size=3))
@example(FORGED, [FORGED])
def test_a_mail_has_its_own_headers_and_a_line_for_each_line(host: str, lines: list[str]) -> None:
    plain = alarm_mail("h", "x.service", tuple("l" for _ in lines), to="root")
    text = alarm_mail(host, "x.service", tuple(lines), to="root")
    assert text.isascii()
    mail, wanted = (message_from_string(each, policy=default) for each in (text, plain))
    assert mail.keys() == wanted.keys()
    assert harmless(mail["Subject"], lines=0)
    assert harmless(mail.get_content(), lines=wanted.get_content().count("\n"))


@given(WORDS)
@example(FORGED)
def test_the_news_of_a_plugged_disk_are_one_line_and_say_nothing_private_to_all(said: str) -> None:
    news = hotplug_news(said, ExitCode.FAILED, said=f"secret{said}")
    assert all(harmless(each, lines=0) for each in (news.subject, news.text, news.public))
    assert "secret" not in news.public
    assert harmless(
        message_from_string(hotplug_mail(said, news, to="root"), policy=default)["Subject"]
    )


@contextmanager
def heard() -> Iterator[socket.socket]:
    """A journal of this test's own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening,
        patch.object(journald, "SOCKET", Path(folder) / "socket"),
    ):
        listening.bind(str(Path(folder) / "socket"))
        listening.settimeout(10)
        yield listening


@given(WORDS)
@example(FORGED)
def test_an_entry_of_the_journal_has_its_own_fields_and_one_line_in_each(words: str) -> None:
    with heard() as listening:
        journal.report_end(words, code=ExitCode.FAILED, mirror=f"M{words}")
        fields = decode(listening.recv(65536))
    assert set(fields) == {
        *("MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "SYSLOG_FACILITY", "SYSLOG_PID"),
        *("MESSAGE_ID", "EXIT_CODE", "MIRROR"),
    }
    assert all(harmless(value, lines=0) for value in fields.values())


@given(WORDS)
@example(FORGED)
def test_a_page_is_the_same_page_whatever_it_tells(words: str) -> None:
    def page(word: str) -> str:
        odd = replace(MIRROR, name=f"M{word}", last_error=f"E{word}")
        return report(replace(STATUS, host=word, mirrors=(odd,)))

    assert harmless(page(words), lines=page("plain").count("\n"))
    tags = re.compile("<[^>]*>")
    assert tags.findall(as_html(words)) == []
    assert '"' not in as_html(words)
    page(words).encode()


@given(WORDS)
@example(FORGED)
def test_the_recovery_page_is_the_same_page_whatever_it_tells(words: str) -> None:
    def pages(word: str) -> tuple[str, str]:
        found = enrolled()
        disk = replace(found.machine.disks[0], model=f"m{word}")
        made = recovery_page(with_disk(found.machine, disk), replace(found.record, host=f"h{word}"))
        return made.text, made.html

    for odd, plain in zip(pages(words), pages("plain"), strict=True):
        assert harmless(odd, lines=plain.count("\n"))
        odd.encode()


@given(WORDS)
@example(FORGED)
def test_metrics_have_the_same_lines_whatever_their_labels(words: str) -> None:
    odd = exposition(replace(STATUS, mirrors=(replace(MIRROR, name=words),)))
    assert harmless(odd, lines=exposition(STATUS).count("\n"))


@given(WORDS)
@example(FORGED)
def test_the_mediums_menu_reads_one_line_for_each_variable(words: str) -> None:
    block = environment_block({"mirror_host": words, "mirror_name": "n"}).decode("utf-8")
    names = [line.partition("=")[0] for line in block.splitlines() if not line.startswith("#")]
    assert harmless(block)
    assert names == ["mirror_host", "mirror_name"]


@given(WORDS)
@example(FORGED)
def test_a_login_shows_the_same_lines_whatever_the_disk_is_called(words: str) -> None:
    record = enrolled().record
    odd = replace(record, mirror=replace(record.mirror, id=DiskId(serial=f"S{words}")))
    for name in ("motd", "issue"):
        assert harmless(banner(name, odd), lines=banner(name, record).count("\n"))
        assert "\\" not in banner(name, odd)


@given(WORDS)
@example(FORGED)
def test_a_layer_is_a_line_of_the_disks_whatever_it_is_called(words: str) -> None:
    layer = Device(key="k", kind=DeviceKind.SUBVOLUME, name=f"n{words}", made_of=("/dev/vda4",))
    there, out = screen(width=300)
    there.show(disks_table(layered(server(), layer)))
    shown = out.getvalue()
    assert harmless(shown)
    # Folded perhaps, and always within its cell.
    assert all(line[0] in " ┏┃┡│├└" for line in shown.splitlines())
    shown.encode()


@given(WORDS)
@example(FORGED)
def test_where_a_machine_stands_is_a_line_each_in_the_journal(words: str) -> None:
    odd = replace(STATUS, host=words, mirrors=(replace(MIRROR, last_error=words),))
    there, out = screen()
    lines = status_lines(odd)
    for line in lines:
        there.show(line)
    assert harmless(out.getvalue(), lines=len(lines))

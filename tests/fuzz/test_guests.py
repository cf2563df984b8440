"""What comes out of a virtual machine: the probe's report from inside, QEMU's own monitor."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from rescue.proof.report import ANSWERS, parse_report
from rescue.proof.verdict import judge
from rescue.system.vm.qmp import Qmp, QmpError
from tests.fuzz.damage import any_json, texts
from tests.fuzz.declared import expect_declared
from tests.fuzz.effort import FEW_TRIES, TRIES
from tests.unit.proof.test_proof_heard import ANSWERED, CHECKS
from tests.unit.proof.test_proof_report import line
from tests.unit.proof.test_proof_verdict import PLAN, seen


@TRIES
@given(st.data())
def test_answers_of_any_content(draws: st.DataObject) -> None:
    said = []
    for name in ("uptime", *draws.draw(st.lists(st.sampled_from(sorted({*ANSWERS, *ANSWERED}))))):
        specimen = ANSWERED.get(name, "")
        text = draws.draw(any_json(specimen) if specimen[:1] == "{" else texts(specimen))
        said.append(line(name, text.encode("utf-8", "replace").decode()))
    report = parse_report("".join(said), checks=CHECKS)
    expect_declared(report)
    judge(PLAN, seen(report))


@TRIES
@given(texts("".join(line(name, text) for name, text in ANSWERED.items())))
def test_a_line_that_others_write_into(text: str) -> None:
    expect_declared(parse_report(text, checks=CHECKS))


GREETING = '{"QMP": {"version": {}, "capabilities": []}}\n'
STATUS = '{"return": {"status": "running"}}\n'
REFUSED = '{"error": {"class": "GenericError", "desc": "no such command"}}\n'
EVENT = '{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}}\n'


@contextmanager
def monitor(said: str) -> Iterator[Path]:
    """Let a socket say this to who connects to it, whatever it is asked."""
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        path = Path(folder, "qmp")
        server.bind(str(path))
        server.listen(1)

        def answer() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.sendall(said.encode("utf-8", "surrogateescape"))
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

        speaker = threading.Thread(target=answer, daemon=True)
        speaker.start()
        yield path
        speaker.join()


@FEW_TRIES
@given(any_json(STATUS, REFUSED, EVENT))
def test_a_monitor_that_says_anything(said: str) -> None:
    with (
        monitor(GREETING + STATUS + EVENT + said + "\n" + STATUS) as path,
        suppress(QmpError, OSError),
    ):
        qmp = Qmp(path)
        try:
            qmp.execute("query-status")
            qmp.events()
            qmp.transferred()
        finally:
            qmp.close()

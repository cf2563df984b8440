"""Every question is left in the same way: by Ctrl-C, by Ctrl-D, or by a terminal that is gone."""

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from rescue.store.codec import to_json
from tests.builders import prepared, server
from tests.unit.restore.test_restore_plan import good

ASK = """
import sys
from pathlib import Path
from rescue.store.codec import from_json
from rescue.errors import TerminatedError
from rescue.model.mirror.plan import PLAN_VERSION, Plan
from rescue.model.restore.way_back import RESTORE_VERSION, RestorePlan
from rescue.ui.prompt import Option, ask_identity, ask_restore, ask_text, choose, confirm

options = [Option(value=each, title=each) for each in ("a", "b", "READY")]

def stored(kind, version):
    return from_json(Path(sys.argv[2]).read_text(), kind, known_version=version, where="the plan")

questions = {
    "identity": lambda: ask_identity(stored(Plan, PLAN_VERSION)),
    "restore": lambda: ask_restore(stored(RestorePlan, RESTORE_VERSION)),
    "choose": lambda: choose("Which one?", options),
    "forged": lambda: choose("Which?", [Option(value="a", title="READY \u202e\x1b[2J\\nmore")]),
    "confirm": lambda: confirm("READY?"),
    "text": lambda: ask_text("READY?", default="", wrong=lambda text: ""),
}
try:
    print(questions[sys.argv[1]](), file=sys.stderr)
except TerminatedError as error:
    print("left:", error.message, file=sys.stderr)
"""

LEFT = "Instead.LEFT"
NOT_WRITTEN = "left: cancelled: nothing was written to /dev/vdb"
NOT_BROUGHT = "left: cancelled: nothing was brought back"
CTRL_C, CTRL_D, HUNG_UP = b"\x03", b"\x04", b""


# A menu takes no notice of Ctrl-D.
@pytest.mark.parametrize(
    ("question", "shown", "key", "said"),
    [
        ("identity", b"identity to continue:", CTRL_C, NOT_WRITTEN),
        ("identity", b"identity to continue:", CTRL_D, NOT_WRITTEN),
        ("identity", b"identity to continue:", HUNG_UP, NOT_WRITTEN),
        ("restore", b"nothing is brought back", CTRL_C, NOT_BROUGHT),
        ("restore", b"nothing is brought back", HUNG_UP, NOT_BROUGHT),
        ("choose", b"READY", CTRL_C, LEFT),
        ("choose", b"READY", HUNG_UP, LEFT),
        ("confirm", b"READY", CTRL_C, LEFT),
        ("confirm", b"READY", CTRL_D, LEFT),
        ("confirm", b"READY", HUNG_UP, LEFT),
        ("text", b"READY", CTRL_C, LEFT),
        ("text", b"READY", CTRL_D, LEFT),
        ("text", b"READY", HUNG_UP, LEFT),
        # What disks call themselves: shown, not obeyed.
        ("forged", rb"READY \u202e\x1b[2J\nmore", CTRL_C, LEFT),
    ],
)
def test_a_question_is_left(
    tmp_path: Path, question: str, shown: bytes, key: bytes, said: str
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(to_json(good() if question == "restore" else prepared(server())))
    # Two terminals, so that the one that is typed at can go while the other is still read.
    keys, stdin = pty.openpty()
    screen, stdout = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", ASK, question, str(plan)],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(stdin)
    os.close(stdout)
    seen = b""
    while shown not in seen:
        seen += os.read(screen, 4096)
    if key != HUNG_UP:
        os.write(keys, key)
    else:
        os.close(keys)
    with contextlib.suppress(OSError):  # the end of a terminal is an error to read
        while os.read(screen, 4096):
            pass
    _, errors = child.communicate()
    os.close(screen)
    if key != HUNG_UP:
        os.close(keys)
    assert errors.decode().splitlines()[-1] == said

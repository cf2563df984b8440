"""Questions on a real terminal: keys, Ctrl-C, a disk that comes while one waits."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from rescue.store.codec import to_json
from tests.builders import prepared, server
from tests.lab.terminal import Terminal

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

ASK_IDENTITY = """
import sys
from pathlib import Path
from rescue.store.codec import from_json
from rescue.errors import RescueError
from rescue.model.mirror.plan import PLAN_VERSION, Plan
from rescue.ui.prompt import ask_identity

plan = from_json(Path(sys.argv[1]).read_text(), Plan, known_version=PLAN_VERSION, where="plan")
try:
    print("typed", repr(ask_identity(plan)))
except RescueError as error:
    print("left:", error.message)
"""

CHOOSE = """
import os, sys
from pathlib import Path
from rescue.ui.prompt import Option, choose

class Watch:
    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    def fileno(self):
        return self.fd
    def changed(self):
        return b"disk" in os.read(self.fd, 100)

options = [Option(value=each, title=f"take {each}", hint=f"what {each} is") for each in "abc"]
watch = Watch(sys.argv[1])
answer = choose("Which one?", options, suggested="b", watch=watch)
print("answer:", answer)
"""

ATTENDED = """
import sys
from rescue.system.process.foreground import on_terminal

inner = '''
import time
print("inside", flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    print("unwound", flush=True)
    raise SystemExit(7)
'''
print("ended with code", on_terminal([sys.executable, "-c", inner]))
"""


def python(script: str, tmp_path: Path, *words: str, term: str = "xterm") -> Terminal:
    file = tmp_path / "script.py"
    file.write_text(script)
    # The checkout, as pytest has it: a script's own folder comes first else.
    env = {"PYTHONPATH": os.pathsep.join(sys.path), "TERM": term, "LANG": "C.UTF-8"}
    return Terminal([sys.executable, str(file), *words], log=tmp_path / "screens.log", env=env)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    path.write_text(to_json(prepared(server())))
    return path


@pytest.mark.parametrize("term", ["xterm", "linux", "vt100"])
def test_the_identity_is_typed(tmp_path: Path, plan: Path, term: str) -> None:
    with python(ASK_IDENTITY, tmp_path, str(plan), term=term) as terminal:
        terminal.wait_for("Everything on /dev/vdb will be lost. Type its identity to continue:")
        terminal.keys("MIR000", "2", "BSpace", "1", "Enter")
        shown = terminal.wait_for(r"\[ended with 0\]")
        assert "typed 'MIR0001'" in shown
        assert "\x1b" not in shown


def test_the_identity_s_question_is_left(tmp_path: Path, plan: Path) -> None:
    with python(ASK_IDENTITY, tmp_path, str(plan)) as terminal:
        terminal.wait_for("Type its identity")
        terminal.keys("MIR0001", "C-c")
        shown = terminal.wait_for(r"\[ended with 0\]")
        assert "left: cancelled: nothing was written to /dev/vdb" in shown
        assert "typed" not in shown


def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "news"
    os.mkfifo(path)
    return path


def test_enter_takes_what_is_suggested_and_the_question_is_gone(tmp_path: Path) -> None:
    with python(CHOOSE, tmp_path, str(fifo(tmp_path))) as terminal:
        shown = terminal.wait_for("Which one")
        assert " > 2) take b" in shown
        assert "Description: what b is" in shown
        terminal.keys("Enter")
        shown = terminal.wait_for(r"\[ended with 0\]")
        assert "answer: b" in shown
        assert "Which one" not in shown


@pytest.mark.parametrize(("keys", "answer"), [(("3",), "c"), (("Down", "Down"), "a")])
def test_arrows_and_numbers_both_choose(tmp_path: Path, keys: tuple[str, ...], answer: str) -> None:
    with python(CHOOSE, tmp_path, str(fifo(tmp_path)), term="vt100") as terminal:
        terminal.wait_for("Which one")
        terminal.keys(*keys, "Enter")
        assert f"answer: {answer}" in terminal.wait_for(r"\[ended with 0\]")


def test_news_end_the_question_and_what_is_none_does_not(tmp_path: Path) -> None:
    news = fifo(tmp_path)
    with python(CHOOSE, tmp_path, str(news)) as terminal:
        terminal.wait_for("Which one")
        with news.open("r+b", buffering=0) as pipe:
            pipe.write(b"something else")
            terminal.keys("Up")
            terminal.wait_for("> 1")
            pipe.write(b"a disk")
            assert "answer: Instead.NEWS" in terminal.wait_for(r"\[ended with 0\]")


def test_a_choice_is_left_with_ctrl_c(tmp_path: Path) -> None:
    with python(CHOOSE, tmp_path, str(fifo(tmp_path))) as terminal:
        terminal.wait_for("Which one")
        terminal.keys("C-c")
        assert "answer: Instead.LEFT" in terminal.wait_for(r"\[ended with 0\]")


def test_ctrl_c_is_for_the_command_that_has_the_terminal(tmp_path: Path) -> None:
    with python(ATTENDED, tmp_path) as terminal:
        terminal.wait_for("inside")
        terminal.keys("C-c")
        shown = terminal.wait_for(r"\[ended with 0\]")
        assert "unwound" in shown
        assert "ended with code 7" in shown
        assert "Traceback" not in shown

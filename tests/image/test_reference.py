"""What `make reference` writes, judged by those who read it: man, bash, zsh."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.example import example

CHECKOUT = Path(__file__).parents[2]
# Where the command is that belongs to the Python that runs this.
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

pytestmark = pytest.mark.skipif(not shutil.which("scdoc"), reason="scdoc is not installed")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    subprocess.run(
        [CHECKOUT / "scripts/build-reference", folder, sys.executable], check=True, timeout=120
    )
    return folder


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
@pytest.mark.parametrize("name", ["rescue.8", "rescue.toml.5"])
def test_man_shows_a_page_without_a_warning(reference: Path, name: str) -> None:
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", reference / name],
        capture_output=True,
        text=True,
        env={"PATH": PATH, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"},
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    shown = subprocess.run(
        ["man", "-l", reference / name], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert "\\" not in shown
    assert "`" not in shown


def test_bash_completes_a_command(reference: Path) -> None:
    asked = (
        f". {reference}/rescue.bash; COMP_WORDS=(rescue sched); COMP_CWORD=1;"
        ' _rescue_completion rescue; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", asked],
        capture_output=True,
        text=True,
        env={"PATH": PATH},
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["schedule"]


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_can_read_its_completion(reference: Path) -> None:
    subprocess.run(["zsh", "-n", reference / "rescue.zsh"], check=True, timeout=60)


def test_the_example_is_the_one_that_is_checked(reference: Path) -> None:
    assert (reference / "rescue.toml").read_text() == example()

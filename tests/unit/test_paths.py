"""Every path that is ours is spelled in one module, and nowhere else in the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import rescue

PACKAGE = Path(rescue.__file__).parent
OURS = re.compile(r"/(run|etc|var/lib|var/backups)/rescue|(^|[/ ])\.rescue|(etc|run)/.*rescue")
"""Our folders below the system's, and the names that we give files of our own among others."""


def spelled(source: str) -> Iterator[str]:
    """Return the texts of a module's code: docstrings tell people, and no program, of a path."""
    tree = ast.parse(source)
    told = {
        id(each.value)
        for each in ast.walk(tree)
        if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
    }
    for each in ast.walk(tree):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and id(each) not in told:
            yield each.value


@pytest.mark.parametrize(
    "module", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_a_path_of_ours_is_taken_from_the_one_place(module: Path) -> None:
    if module == PACKAGE / "paths.py":
        return
    found = [text for text in spelled(module.read_text(encoding="utf-8")) if OURS.search(text)]
    assert not found, "take it from rescue.paths"


def test_paths_are_spelled_there() -> None:
    found = spelled((PACKAGE / "paths.py").read_text(encoding="utf-8"))
    assert len([text for text in found if OURS.search(text)]) > 10

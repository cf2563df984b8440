"""What rescue takes a pattern of rsync's to match is what rsync takes it to match."""

import os
import random
import subprocess
from pathlib import Path

from rescue.system.rsync.filters import matcher

_NAMES = r"a b z - ^ ! [ ] \ : a- [a a] \a ab 0 A _ .a * [:digit:] c/b d/a e[/] c/b2/z"
_PIECES = r"* ** *** ? [ ] [! [^ - \ a b z / : [:digit:] [:alpha:] [:none:] [: :] [a-z] [\]] a- ! ^"
_SPELLED = (
    r"[?-/] []a] [^]a] [!-] [a *[ [a- [z-a] [[:digit:]a-] [a-[:digit:]] [[:none:]] [[:digit] [\ *\ "
    r"[\a-\z] ? *b **b a/* a/***"
)
NAMES = (*_NAMES.split(), "\xe4", "\udce4", " ", "\t")


def patterns() -> list[str]:
    chance = random.Random(13)
    drawn = ["".join(chance.choices(_PIECES.split(), k=chance.randint(1, 5))) for _ in range(150)]
    # One without a wildcard is a plain name, and '//' is in no path.
    wild = [each for each in drawn if set(each) & set("*?[") and "//" not in each]
    return [*_SPELLED.split(), *(each for each in wild if not each.startswith("/"))]


def test_a_pattern_matches_what_it_matches_for_rsync(tmp_path: Path) -> None:
    source, empty = tmp_path / "source", tmp_path / "empty"
    empty.mkdir()
    every = patterns()
    for number in range(len(every)):
        for name in NAMES:
            path = source / f"{number}x" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_dir():
                path.touch()
    rules = b"".join(
        b"- /%dx/" % number + os.fsencode(each) + b"\0" for number, each in enumerate(every)
    )
    argv = ["rsync", "-r", "--dry-run", "--8-bit-output", "--out-format=%n", "--from0"]
    argv += ["--filter=. -", f"{source}/", f"{empty}/"]
    done = subprocess.run(argv, input=rules, capture_output=True, check=True)
    left = {line for line in done.stdout.split(b"\n") if line and not line.endswith(b"/")}
    for number, pattern in enumerate(every):
        excluded = matcher((f"/{number}x/{pattern}",))
        for file in (path for path in (source / f"{number}x").rglob("*") if path.is_file()):
            inside = str(file.relative_to(source))
            assert excluded(f"/{inside}") is (os.fsencode(inside) not in left), (pattern, inside)

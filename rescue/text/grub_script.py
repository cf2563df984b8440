"""GRUB's script language, cut into words and signs (GRUB manual, 'Writing full configuration
files directly').
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

_BLANK = re.compile(r"(?:[ \t\r]|\\\n)+")
_COMMENT = re.compile(r"#[^\n]*")
_PIECE = re.compile(
    # Runs, and '${' up to the next brace: what is not closed is not looked for again and again.
    r"""'(?P<single>[^']*)'
    |"(?P<double>(?:[^"\\]+|\\.)*+)"
    |\\(?P<escaped>.)
    |(?P<plain>\$\{[^{}\s]*\}|[^\s;&|{}'"\\$]+|\$)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r'\\(?:([$"\\])|\n)')


class Sign(Enum):
    """The kind of a token: a word, the end of a command, a block's brace, or a comment."""

    WORD = auto()
    END = auto()
    OPEN = auto()
    CLOSE = auto()
    COMMENT = auto()
    UNCLOSED = auto()


_SIGNS = {
    "\n": Sign.END,
    ";": Sign.END,
    "&": Sign.END,
    "|": Sign.END,
    "{": Sign.OPEN,
    "}": Sign.CLOSE,
}


@dataclass(frozen=True)
class Token:
    """One token; `text` is of a word without its quotes, variables as they stand, or a comment."""

    sign: Sign
    text: str = ""


def tokens(text: str) -> Iterator[Token]:
    """Given the text of a script, yield its tokens; UNCLOSED is the last where a quote is open."""
    at = 0
    while at < len(text):
        if blank := _BLANK.match(text, at):
            at = blank.end()
        elif sign := _SIGNS.get(text[at]):
            yield Token(sign)
            at += 1
        elif comment := _COMMENT.match(text, at):
            yield Token(Sign.COMMENT, comment.group())
            at = comment.end()
        else:
            word, end = _word(text, at)
            if end == at:
                yield Token(Sign.UNCLOSED)
                return
            yield Token(Sign.WORD, word)
            at = end


def commands(text: str) -> Iterator[tuple[str, ...]]:
    """Given the text of a script, yield the words of each command, whatever block it is in."""
    words: list[str] = []
    for token in tokens(text):
        if token.sign is Sign.WORD:
            words.append(token.text)
        elif token.sign is not Sign.COMMENT:
            if words:
                yield tuple(words)
            words = []
    if words:
        yield tuple(words)


def _word(text: str, at: int) -> tuple[str, int]:
    """Return the word that begins there, unquoted, and where it ends."""
    pieces = []
    while piece := _PIECE.match(text, at):
        at = piece.end()
        if piece.lastgroup == "double":
            pieces.append(_ESCAPED.sub(lambda found: found[1] or "", piece["double"]))
        elif piece.lastgroup == "escaped":
            pieces.append(piece["escaped"].replace("\n", ""))
        else:
            pieces.append(piece[piece.lastgroup or 0])
    return "".join(pieces), at

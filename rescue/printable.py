"""The filter for foreign text, used wherever people or programs read it.

A file name, a label, a serial, a host name or another program's message may hold anything: escape
sequences that a terminal obeys, line breaks that forge a line, marks that turn the direction of
writing, bytes that are no text. The doors call this themselves (the terminal, the journal, mail,
pages, metrics, boot menus), so that who has something to say need not think of it.
"""

from html import escape

_FIRST_BYTE, _LAST_BYTE = 0xDC80, 0xDCFF
"""Where Python keeps bytes that are not UTF-8 (PEP 383, 'surrogateescape'): 0x80 to 0xff."""


def printable(text: str) -> str:
    """Return a text as one line in which no control character takes effect.

    What has no shape of its own (control characters, line breaks, marks of direction, bytes that
    are not UTF-8) stands there as Python's literals have it: \\x1b, \\n, \\u202e, \\xff.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def as_html(text: str) -> str:
    """Return a text as one line of HTML, for an element's content or a quoted attribute."""
    return escape(printable(text), quote=True)


def _escaped(char: str) -> str:
    code = ord(char)
    if _FIRST_BYTE <= code <= _LAST_BYTE:
        return f"\\x{code - _FIRST_BYTE + 0x80:02x}"
    return repr(char)[1:-1]

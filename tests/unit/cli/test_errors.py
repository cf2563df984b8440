"""How a program ended, in words that a person understands."""

import pytest

from rescue.errors import ending_in_words


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "ended with exit code 0"),
        (14, "ended with exit code 14"),
        (-9, "was ended by SIGKILL"),
        (-15, "was ended by SIGTERM"),
        # Real-time signals have numbers alone.
        (-40, "was ended by signal 40"),
    ],
)
def test_an_exit_code_or_a_signal(code: int, words: str) -> None:
    assert ending_in_words(code) == words

"""How hard parsers are tried: the same few tries each time, and by 'make fuzz' many new ones."""

from hypothesis import settings

_LONG = settings.default == settings.get_profile("fuzz")

TRIES = settings() if _LONG else settings(derandomize=True, max_examples=35)
FEW_TRIES = settings(TRIES, max_examples=TRIES.max_examples // 5)
"""Where each try starts a program, or looks at a whole tree."""

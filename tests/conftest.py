"""What holds for every test."""

from hypothesis import settings

# A machine that does other work beside it is slow: nothing here is judged by the clock.
settings.register_profile("rescue", deadline=None)
settings.load_profile("rescue")

"""Whose a file of the dead disk is on the running system: by name, never by number alone."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What becomes of user numbers, or of group numbers, on the way back.

    `given` are pairs of the number there and the one here that differ. A number that is in no pair
    stays as it is.
    """

    given: tuple[tuple[int, int], ...] = ()

    def here(self, number: int) -> int:
        """Return the number here of the one there."""
        return dict(self.given).get(number, number)


@dataclass(frozen=True, kw_only=True)
class Owners:
    """What becomes of owners and groups on the way back."""

    users: Numbers = field(default_factory=Numbers)
    groups: Numbers = field(default_factory=Numbers)

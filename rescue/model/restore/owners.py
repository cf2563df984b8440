"""The owners of a dead disk's files on the running system, by name and never by number alone."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """The mapping of user numbers, or of group numbers, on the way back.

    `given` are pairs of the number there and the one here that differ. A number that is in no pair
    stays as it is.
    """

    given: tuple[tuple[int, int], ...] = ()

    def here(self, number: int) -> int:
        """Return the number on this system for one on the dead disk."""
        return dict(self.given).get(number, number)


@dataclass(frozen=True, kw_only=True)
class Owners:
    """The mapping of owners and groups on the way back."""

    users: Numbers = field(default_factory=Numbers)
    groups: Numbers = field(default_factory=Numbers)

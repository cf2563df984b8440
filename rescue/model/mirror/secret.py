"""The secret that a machine shares with its mirror, by which the disk is known to be genuine.

Serial, ids of tables and file systems, host and machine-id can be read by every user, and be put on
a stick. This can be read by root alone, on both disks.
"""

import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Self

_BYTES = 32
_TEXT = re.compile(r"(?:[0-9a-f]{64})?")


@dataclass(frozen=True)
class Secret:
    """Random bytes as hex digits; none where an older rescue made the mirror.

    It appears in no plan, page or JSON that is shown: `store.codec.to_json` and `repr` leave it
    out. `text` is for what is stored for root alone. Raises ValueError for a value not made by
    `draw`.
    """

    text: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Accept only what `draw` makes."""
        if not _TEXT.fullmatch(self.text):
            raise ValueError("this is no secret of a mirror")

    @classmethod
    def draw(cls) -> Self:
        """Return a new one."""
        return cls(secrets.token_hex(_BYTES))

    @property
    def is_drawn(self) -> bool:
        """Whether there is one."""
        return bool(self.text)

    @property
    def token(self) -> str:
        """What a boot menu compares, which can compute nothing; '' where there is no secret.

        It follows from the secret, and the secret not from it.
        """
        key = bytes.fromhex(self.text)
        return hmac.digest(key, b"rescue: boot menu", "sha256").hex()[:32] if key else ""

    def matches(self, other: "Secret") -> bool:
        """Whether both secrets are the same; a missing one matches nothing."""
        same = hmac.compare_digest(self.text, other.text)
        return same and self.is_drawn

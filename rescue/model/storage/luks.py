"""Encrypted containers: what the header of a LUKS device tells (man 8 cryptsetup)."""

from dataclasses import dataclass

_SECTOR = 512
_KNOWN = {
    "clevis": "Clevis",
    "luks2-keyring": "kernel keyring",
    "systemd-fido2": "FIDO2",
    "systemd-pkcs11": "smart card",
    "systemd-recovery": "recovery key",
    "systemd-tpm2": "TPM2",
}


@dataclass(frozen=True, kw_only=True)
class LuksKeyslot:
    """One way to open it: `kdf` is how a passphrase becomes a key ('argon2id', 'pbkdf2').

    `memory` is what that takes, in KiB, 0 where the function has no such parameter.
    """

    number: int
    kdf: str
    memory: int = 0


@dataclass(frozen=True, kw_only=True)
class LuksToken:
    """A note on how something other than a person opens the keyslots: its type, as stored."""

    type: str
    keyslots: tuple[int, ...] = ()

    @property
    def words(self) -> str:
        """What people call it ('TPM2'), or its own name."""
        return _KNOWN.get(self.type, self.type)


@dataclass(frozen=True, kw_only=True)
class LuksHeader:
    """What a header says: `version` is 1 or 2, `cipher` the kernel's spelling ('aes-xts-plain64').

    `key_bits` is the length of the volume key, `sector_size` of what is encrypted at once, in
    bytes.
    """

    version: int
    cipher: str
    key_bits: int
    sector_size: int = _SECTOR
    keyslots: tuple[LuksKeyslot, ...] = ()
    tokens: tuple[LuksToken, ...] = ()

    @property
    def words(self) -> str:
        """The header in a few words: 'LUKS 2, aes-xts-plain64, 512 bits, 2 keyslots, TPM2'."""
        count = len(self.keyslots)
        sectors = f"sectors of {self.sector_size}" if self.sector_size != _SECTOR else ""
        slots = f"{count} keyslot{'s' if count != 1 else ''}"
        parts = (f"LUKS {self.version}", self.cipher, f"{self.key_bits} bits", sectors, slots)
        tokens = dict.fromkeys(each.words for each in self.tokens)
        return ", ".join(filter(None, (*parts, *tokens)))

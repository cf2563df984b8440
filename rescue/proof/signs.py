"""Signs of failure on a console, in GRUB's, the kernel's and systemd's own words.

These words are read because there is no other witness of a machine that does not start: QEMU's
monitor knows that it runs, and no more.
"""

import re
from dataclasses import dataclass

from rescue.model.finding import Finding, Severity
from rescue.model.proof import Phase

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]|[\r\x00\x07]")
_GRUB_ERROR = re.compile(r"error: ([^\n]+)")


@dataclass(frozen=True, kw_only=True)
class Sign:
    """A text on the console, the phase it belongs to, and what it means.

    `{0}` in `meaning` is what the pattern's first group matched. A `fatal` one ends the boot.
    """

    phase: Phase
    pattern: re.Pattern[str]
    meaning: str
    fatal: bool = True


def _sign(phase: Phase, pattern: str, meaning: str, *, fatal: bool = True) -> Sign:
    return Sign(
        phase=phase, pattern=re.compile(pattern, re.MULTILINE), meaning=meaning, fatal=fatal
    )


# In the order in which the first one that is seen names the cause: the nearest to the root of it.
SIGNS = (
    _sign(
        Phase.FIRMWARE,
        r"not a bootable disk|No bootable device",
        "the BIOS finds no boot loader in the disk's boot sector",
    ),
    _sign(
        Phase.FIRMWARE,
        r"BdsDxe: No bootable option|^Shell> |UEFI Interactive Shell",
        "the firmware finds no boot loader on an EFI system partition",
    ),
    _sign(Phase.GRUB, r"grub rescue>", "GRUB does not find its own modules"),
    _sign(
        Phase.GRUB,
        r"error: (?:file|disk)? ?.?(?=/[^ '`\n]*(?:vmlinuz|initrd))(/[^ '`\n]*). not found",
        "the kernel or initramfs that grub.cfg names is missing: {0}",
    ),
    _sign(
        Phase.GRUB,
        r"you need to load the kernel first",
        "GRUB has no kernel to start",
    ),
    _sign(
        Phase.GRUB,
        r"^grub> ?",
        "GRUB finds no grub.cfg: what names its place (on UEFI the EFI system partition's own "
        "grub.cfg) does not name this disk's file system",
    ),
    _sign(
        Phase.INITRAMFS,
        r"Initramfs unpacking failed: ([^\n]+)",
        "the initramfs is damaged: {0}",
        fatal=False,
    ),
    _sign(
        Phase.INITRAMFS,
        r"ALERT! +(\S+) +does not exist",
        "the root file system named on the kernel command line is missing: {0}",
    ),
    _sign(
        Phase.INITRAMFS,
        r"error while loading shared libraries: ([^:\s]+)",
        "a library that the first program needs is missing: {0}",
    ),
    _sign(
        Phase.INITRAMFS,
        r"run-init: ([^\n]*(?:init|INIT)[^\n]*)",
        "the system's first program cannot be started: {0}",
        fatal=False,
    ),
    _sign(
        Phase.INITRAMFS,
        r"doesn't have requested (\S+)|No init found",
        "the root file system holds no {0} to start",
    ),
    _sign(
        Phase.KERNEL,
        r"Kernel panic - not syncing: ([^\n]+)",
        "the kernel panicked: {0}",
    ),
    _sign(Phase.INITRAMFS, r"^\(initramfs\)", "the initramfs gave up and asks for help"),
    _sign(
        Phase.INITRAMFS,
        r"Gave up waiting for suspend/resume device",
        "the device to resume from (resume=) is missing, and was waited for",
        fatal=False,
    ),
    _sign(
        Phase.USERSPACE,
        r"Timed out waiting for device ([^\n]+)",
        "a device that is waited for is missing: {0}",
        fatal=False,
    ),
    _sign(
        Phase.USERSPACE,
        r"\[FAILED\] Failed to (?:mount|start) ([^\n]+)",
        "could not be mounted or started: {0}",
        fatal=False,
    ),
    _sign(
        Phase.USERSPACE,
        r"You are in emergency mode|the root account is locked",
        "systemd gave up and went into emergency mode",
        fatal=False,
    ),
    _sign(
        Phase.USERSPACE,
        r"systemd\[1\]: (Freezing execution|Failed to load critical[^\n]*|Failed to execute[^\n]*)",
        "systemd itself crashed: {0}",
    ),
)


def plain(text: str) -> str:
    """Return a console's output without cursor movements and colours."""
    return _ESCAPES.sub("", text)


def is_hopeless(text: str) -> bool:
    """Whether a running machine's console shows that its boot will not continue."""
    shown = plain(text)
    return any(sign.fatal and sign.pattern.search(shown) for sign in SIGNS)


def findings(text: str) -> tuple[Finding, ...]:
    """Return the console's messages about a boot that went wrong, the cause first.

    What GRUB complained of is added where GRUB is where it ended.
    """
    shown = plain(text)
    found = []
    for sign in SIGNS:
        match = sign.pattern.search(shown)
        if match is None:
            continue
        caught = next((each for each in match.groups() if each), "").strip()
        said = sign.meaning.format(caught or "init")
        if sign.phase is Phase.GRUB and (errors := grub_errors(shown)):
            said += f" ({'; '.join(errors)})"
        found.append(Finding(severity=Severity.ERROR, link=sign.phase.value, message=said))
    return tuple(found)


def grub_errors(text: str) -> tuple[str, ...]:
    """Return GRUB's error messages, each once, in order."""
    said = (match.strip().rstrip(".") for match in _GRUB_ERROR.findall(plain(text)))
    return tuple(dict.fromkeys(said))

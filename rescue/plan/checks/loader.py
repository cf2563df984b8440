"""The boot loader check: can a mirror be booted the way this machine is?"""

from rescue.errors import ExitCode
from rescue.model.boot.firmware import BootState, Firmware
from rescue.model.finding import Refusal
from rescue.model.storage.machine import Machine

MENU = "/boot/grub/grub.cfg"
_NOT_YET = "rescue does not support such machines yet; nothing was written"


def firmware_refusals(machine: Machine) -> tuple[Refusal, ...]:
    """Return why no mirror can start this machine, whatever is on it."""
    boot = machine.boot
    if not boot.is_pc:
        name = f"{boot.board} ({boot.architecture})" if boot.board else boot.architecture
        return (
            _unsupported(
                f"this machine is not a PC: {name}. So far, mirrors can only be booted by GRUB "
                "for x86-64"
            ),
        )
    if boot.firmware is Firmware.UEFI and boot.efi_bits == 32:
        return (
            _unsupported(
                f"the UEFI firmware of this machine is 32-bit: it looks for {boot.removable}, and "
                "a mirror only has a 64-bit loader",
                "if its setup can boot in BIOS mode ('legacy', 'CSM'), boot this system that way; "
                + _NOT_YET,
            ),
        )
    return ()


def loader_refusals(machine: Machine) -> tuple[Refusal, ...]:
    """Return why no disk could be made to start this machine; more programs would not help."""
    boot = machine.boot
    if foreign := firmware_refusals(machine):
        return foreign
    if not boot.grub_menu:
        by = f"this system is booted by {boot.loader}: " if _is_other(boot) else ""
        return (
            _unsupported(
                f"{by}there is no {MENU} that names a kernel, and GRUB, which boots a mirror, "
                "reads nothing else",
                "a mirror only needs that menu and GRUB's programs; this disk will boot as "
                f"before: 'apt install grub2-common {_package(boot)}', 'mkdir -p /boot/grub', "
                "'update-grub'",
            ),
        )
    return ()


def loader_notes(machine: Machine) -> tuple[str, ...]:
    """Note that the mirror will use a different boot loader than this system did."""
    if not _is_other(machine.boot):
        return ()
    return (
        f"this system was booted by {machine.boot.loader}; the mirror is booted by GRUB, with the "
        f"menu in {MENU}",
    )


def _is_other(boot: BootState) -> bool:
    return bool(boot.loader) and not boot.loader.upper().startswith("GRUB")


def _package(boot: BootState) -> str:
    return "grub-efi-amd64-bin" if boot.firmware is Firmware.UEFI else "grub-pc-bin"


def _unsupported(reason: str, hint: str = _NOT_YET) -> Refusal:
    return Refusal(code=ExitCode.UNSUPPORTED, reason=reason, hint=hint)

"""The boot loader check: can a mirror be booted the way this machine is?"""

from rescue.errors import ExitCode
from rescue.model.boot.firmware import BootState, Firmware
from rescue.model.finding import Refusal
from rescue.model.storage.machine import Machine

MENU = "/boot/grub/grub.cfg"
_NOT_YET = "mirror it once rescue supports such machines; nothing was written"


def firmware_refusals(machine: Machine) -> tuple[Refusal, ...]:
    """Return why no mirror can start this machine, whatever is on it."""
    boot = machine.boot
    if not boot.is_pc:
        name = f"{boot.board} ({boot.architecture})" if boot.board else boot.architecture
        return (
            _unsupported(
                f"this machine is of another kind than a PC: {name}. A mirror is started by GRUB "
                "for x86-64, and by nothing else yet"
            ),
        )
    if boot.firmware is Firmware.UEFI and boot.efi_bits == 32:
        return (
            _unsupported(
                f"the UEFI firmware of this machine is of 32 bits: it asks for {boot.removable}, "
                "and a mirror has a loader for 64 bits alone",
                "if its setup can start by BIOS ('legacy', 'CSM'), start this system so; "
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
        by = f"this system is started by {boot.loader}: " if _is_other(boot) else ""
        return (
            _unsupported(
                f"{by}there is no {MENU} that names a kernel, and GRUB, which starts a mirror, "
                "reads nothing else",
                "a mirror needs no more than that menu, and GRUB's programs; this disk goes on "
                f"starting as it does: 'apt install grub2-common {_package(boot)}', 'mkdir -p "
                "/boot/grub', 'update-grub'",
            ),
        )
    return ()


def loader_notes(machine: Machine) -> tuple[str, ...]:
    """Note that the mirror will use a different boot loader than this system did."""
    if not _is_other(machine.boot):
        return ()
    return (
        f"this system was started by {machine.boot.loader}; the mirror starts by GRUB, with the "
        f"menu in {MENU}",
    )


def _is_other(boot: BootState) -> bool:
    return bool(boot.loader) and not boot.loader.upper().startswith("GRUB")


def _package(boot: BootState) -> str:
    return "grub-efi-amd64-bin" if boot.firmware is Firmware.UEFI else "grub-pc-bin"


def _unsupported(reason: str, hint: str = _NOT_YET) -> Refusal:
    return Refusal(code=ExitCode.UNSUPPORTED, reason=reason, hint=hint)

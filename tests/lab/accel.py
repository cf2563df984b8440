"""By what the lab's guests are run: KVM where the product finds that it works, else emulation.

`RESCUE_ACCEL` decides by hand ('kvm', 'tcg'). Where a guest under KVM shows no sign of life, KVM is
given up for the whole run: by this process, and by those that share a session's folder with it.
"""

import os
import warnings
from pathlib import Path

from rescue.errors import UsageError
from rescue.model.virtual import Accel
from rescue.system.vm.accelerator import EMULATION, KVM, QEMU, Accelerator

__all__ = ["QEMU", "VARIABLE", "accelerator", "asked", "give_up_kvm", "is_kvm", "kvm_is_given_up"]

VARIABLE = "RESCUE_ACCEL"
STOCK = "RESCUE_LAB_STOCK"
"""Environment variable: the folder that a session's workers share their frozen servers in."""

# The plainest processor of 64 bits: under emulation its guests start a fifth faster than those of
# 'max', and copy files in two thirds of the time.
_EMULATION = ("-accel", "tcg,thread=multi", "-cpu", "qemu64")


def accelerator(*, nested: bool = False) -> tuple[str, ...]:
    """Return QEMU's options for a guest; `nested` for one that starts guests by KVM itself.

    That needs all of AMD's virtualisation that QEMU emulates: with nested page tables alone such a
    guest stopped answering.
    """
    if Accelerator(asked()).is_kvm:
        return KVM
    return EMULATION if nested else _EMULATION


def is_kvm(options: tuple[str, ...]) -> bool:
    """Whether these are options of KVM."""
    return options == KVM


def asked() -> Accel:
    """Return what was asked for by hand, emulation where KVM was given up.

    Raises UsageError where that is nothing known.
    """
    if kvm_is_given_up():
        return Accel.TCG
    said = os.environ.get(VARIABLE) or Accel.AUTO
    try:
        return Accel(said)
    except ValueError:
        known = ", ".join(Accel)
        raise UsageError(f"{VARIABLE} is '{said}'", hint=f"it may be one of: {known}") from None


def kvm_is_given_up() -> bool:
    """Whether a guest of this run was lost by KVM."""
    return STOCK in os.environ and _note().exists()


def give_up_kvm(why: str) -> None:
    """Have every further guest of this run emulated, and say so."""
    _note().touch()
    warnings.warn(f"guests are emulated from here on, KVM is given up: {why}", stacklevel=2)


def _note() -> Path:
    """Return the file whose presence says that KVM is given up."""
    return Path(os.environ[STOCK]) / "kvm-is-given-up"

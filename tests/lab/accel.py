"""How QEMU runs a guest of the lab: by KVM where that works, tried as the product tries it."""

from rescue.system import accelerator as product
from rescue.system.accelerator import QEMU

__all__ = ["QEMU", "accelerator"]

# The plainest processor of 64 bits: under emulation its guests start a fifth faster than those of
# 'max', and copy files in two thirds of the time.
_EMULATION = ("-accel", "tcg,thread=multi", "-cpu", "qemu64")


def accelerator(*, nested: bool = False) -> tuple[str, ...]:
    """Return QEMU's options for a guest; `nested` for one that starts guests by KVM itself.

    That needs all of AMD's virtualisation that QEMU emulates: with nested page tables alone such a
    guest stopped answering.
    """
    return product.accelerator() if nested or product.is_accelerated() else _EMULATION

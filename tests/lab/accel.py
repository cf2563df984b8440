"""Whether QEMU can use KVM here: tried, and by the same code as the product does."""

from rescue.system.accelerator import QEMU, accelerator

__all__ = ["QEMU", "accelerator"]

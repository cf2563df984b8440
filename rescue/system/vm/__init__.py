"""Doors to virtual machines: QEMU, its monitor and its accelerators."""

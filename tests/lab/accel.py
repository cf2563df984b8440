"""Whether QEMU can use KVM here: tried, because /dev/kvm may exist and hang."""

import functools
import os
import subprocess
import tempfile
from pathlib import Path

QEMU = "qemu-system-x86_64"
TRIAL_SECONDS = 5.0

_EXIT_PORT = 0xF4
_EXIT_VALUE = 0x10
# mov al, 0x10; out 0xf4, al; hlt; jmp back to hlt
_BOOT_CODE = bytes([0xB0, _EXIT_VALUE, 0xE6, _EXIT_PORT, 0xF4, 0xEB, 0xFD])
# isa-debug-exit ends QEMU with this code for the value written.
_EXIT_CODE = _EXIT_VALUE << 1 | 1


def _boots(accelerator: list[str]) -> bool:
    """Start a boot sector that ends its machine at once; true if it did so in time."""
    with tempfile.TemporaryDirectory() as directory:
        disk = Path(directory) / "boot.raw"
        disk.write_bytes(_BOOT_CODE.ljust(510, b"\0") + b"\x55\xaa")
        command = [QEMU, *accelerator, "-nodefaults", "-display", "none", "-no-reboot", "-m", "16"]
        command += ["-device", f"isa-debug-exit,iobase={_EXIT_PORT:#x},iosize=4"]
        command += ["-drive", f"file={disk},format=raw,if=ide"]
        try:
            done = subprocess.run(command, capture_output=True, timeout=TRIAL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == _EXIT_CODE


@functools.cache
def accelerator() -> tuple[str, ...]:
    """Return QEMU's options for the fastest accelerator that works; tried once a process."""
    kvm = ["-accel", "kvm", "-cpu", "host"]
    if os.access("/dev/kvm", os.R_OK | os.W_OK) and _boots(kvm):
        return tuple(kvm)
    return ("-accel", "tcg,thread=multi", "-cpu", "max")

"""The accelerator of QEMU: KVM where it works, else emulation.

/dev/kvm may be there and be of no use: on some clouds it hangs, on others it carries a machine out
instruction by instruction, far slower than emulation. So it is tried; and it is given up for the
rest of the run where a guest shows no sign of life under it all the same.
"""

import errno
import functools
import os
import tempfile
from pathlib import Path

from rescue.errors import UsageError
from rescue.model.virtual import Accel
from rescue.system.process.run import CommandError, run

QEMU = "qemu-system-x86_64"
KVM = ("-accel", "kvm", "-cpu", "host")
# Without la57, a page is found over four tables in place of five: a tenth faster.
EMULATION = ("-accel", "tcg,thread=multi", "-cpu", "max,la57=off")

TRIAL_SECONDS = 10.0
"""Emulation takes a tenth of it for the trial, and KVM where it works less than that."""

SILENT_SECONDS = 60.0
"""How long a guest under KVM may show no sign of life: the slowest firmware takes a third of it."""

_DEVICE = Path("/dev/kvm")
_EXIT_PORT = 0xF4
_EXIT_VALUE = 0x10
# isa-debug-exit ends QEMU with this code for the value written.
_EXIT_CODE = _EXIT_VALUE << 1 | 1
_WORD = b"64-bit"

# A boot sector that does in small what a kernel does at first (Intel SDM 3A, section 9.8.5): page
# tables, the switch from real mode to 64 bits, work of a hundred million instructions, a word on
# the serial port. What virtualises a processor poorly runs real mode and never comes to the word.
_BOOT_CODE = b"".join(
    bytes.fromhex(code)
    for code in (
        "fa 31c0 8ed8 8ec0 fc",  # cli; xor ax,ax; mov ds,ax; mov es,ax; cld
        "66bf00100000 0f22df",  # mov edi,0x1000; mov cr3,edi
        "66b9000c0000 6631c0 66f3ab",  # mov ecx,0xc00; xor eax,eax; rep stosd
        "c70600100320",  # mov word [0x1000],0x2003: the first of 512 GiB
        "c70600200330",  # mov word [0x2000],0x3003: the first GiB
        "c606003083",  # mov byte [0x3000],0x83: one page of 2 MiB
        "0f20e0 0c20 0f22e0",  # CR4.PAE
        "66b9800000c0 0f32 80cc01 0f30",  # EFER.LME
        "0f20c0 660d01000080 0f22c0",  # CR0.PE and CR0.PG
        "0f01168a7c ea597c0800",  # lgdt [0x7c8a]; jmp 0x08:0x7c59
        "b900e1f505 ffc9 75fc",  # 0x7c59, 64 bits: mov ecx,100000000; dec ecx; jnz to the dec
        "be907c0000 66baf803",  # mov esi,0x7c90; mov dx,0x3f8
        "ac 84c0 7403 ee ebf8",  # lodsb; test al,al; jz on; out dx,al; jmp to the lodsb
        "b010 e6f4 f4 ebfd",  # mov al,0x10; out 0xf4,al; hlt; jmp to the hlt
        "0000000000000000 00000000009a2000",  # 0x7c7a, the GDT: nothing, and code of 64 bits
        "0f00 7a7c0000",  # 0x7c8a: its limit and its place
    )
) + (_WORD + b"\n\0")


class Accelerator:
    """What executes the guests of one run: KVM until it fails for one, then emulation.

    `note` says why it is emulation where KVM could be expected, otherwise ''.
    """

    def __init__(self, asked: Accel = Accel.AUTO, *, device: Path = _DEVICE) -> None:
        """Try KVM unless something else is requested.

        Raises UsageError where KVM is asked for and its device cannot be opened.
        """
        self.note = ""
        match asked:
            case Accel.AUTO:
                self.note = _obstacle_to_kvm(device)
                self.is_kvm = not self.note and kvm_works()
                if not self.is_kvm:
                    self.note = self.note or "KVM is there, and no 64-bit kernel runs by it"
            case Accel.KVM:
                if obstacle := _obstacle_to_kvm(device):
                    raise UsageError(
                        obstacle,
                        hint="become root or a member of the group 'kvm', switch virtualisation "
                        f"on in the firmware, or ask for '{Accel.TCG}', which is slower",
                    )
                self.is_kvm = True
            case Accel.TCG:
                self.is_kvm = False

    def give_up_kvm(self, why: str) -> None:
        """Emulate all further guests of this run."""
        self.is_kvm = False
        self.note = f"KVM is given up: {why}"


def options(*, emulated: bool) -> tuple[str, ...]:
    """Return QEMU's options for an emulated guest, or for one under KVM."""
    return EMULATION if emulated else KVM


@functools.cache
def kvm_works() -> bool:
    """Whether a 64-bit kernel with paging speaks within seconds under KVM; tried once a process."""
    return speaks(KVM)


def trial_argv(accelerator: tuple[str, ...], disk: Path) -> list[str]:
    """Return the command that starts a boot sector which says its word and ends its machine."""
    return [
        QEMU,
        *accelerator,
        *("-nodefaults", "-display", "none", "-no-reboot", "-m", "16", "-serial", "stdio"),
        *("-device", f"isa-debug-exit,iobase={_EXIT_PORT:#x},iosize=4"),
        *("-drive", f"file={disk},format=raw,if=ide"),
    ]


def speaks(accelerator: tuple[str, ...]) -> bool:
    """Whether a 64-bit kernel that QEMU runs with these options speaks within a short time."""
    with tempfile.TemporaryDirectory() as directory:
        disk = Path(directory) / "boot.raw"
        disk.write_bytes(_BOOT_CODE.ljust(510, b"\0") + b"\x55\xaa")
        try:
            said = run(trial_argv(accelerator, disk), timeout=TRIAL_SECONDS, ok=(_EXIT_CODE,))
        except CommandError:
            return False
    return _WORD.decode() in said.stdout


def _obstacle_to_kvm(device: Path) -> str:
    """Return why KVM's device cannot be opened, '' where it can."""
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            return f"{device} is there, and this user may not open it"
        return f"KVM is not there: {device}: {os.strerror(error.errno or 0)}"
    return ""

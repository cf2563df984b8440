"""The parsers of what programs print: a line for each, with recorded output."""

from pathlib import Path

from rescue.discover import filesystems
from rescue.errors import RescueError
from rescue.proof import signs
from rescue.restore import dead_table
from rescue.system.block import (
    blockinfo,
    btrfs,
    ddrescue,
    kernel_log,
    luks,
    md,
    read_table,
    smart,
)
from rescue.system.block.block_tree import parse_block_drivers
from rescue.system.block.superblock import parse_positions
from rescue.system.boot import systemd
from rescue.system.process.run import Result
from rescue.system.rsync.complaints import parse_complaints
from rescue.system.rsync.filters import matcher
from rescue.system.rsync.listing import parse_deleted, parse_sent
from rescue.system.rsync.progress import Listener
from rescue.system.rsync.sums import parse_compared
from tests.fuzz.target import Kind, Target, recorded

COMPLAINTS = """\
file has vanished: "/w/source/0/tmp/a"
rsync: [sender] send_files failed to open "/w/source/0/etc/b": Permission denied (13)
rsync: [sender] read errors mapping "/w/source/0/c d": Input/output error (5)
ERROR: c d failed verification -- update discarded.
rsync: [receiver] mkstemp "/w/mirror/0/.x.Ab" failed: No space left on device (28)
could not make way for new regular file: home/a
rsync error: some files/attrs were not transferred (code 23) at main.c(1338) [sender=3.2.7]
"""
OUTPUT = """\
>f+++++++++|12|new
>f.st......|4096|etc/passwd
*deleting   |0|old/
    32,768 100%    1.23MB/s    0:00:00 (xfr#1, to-chk=12/345)
         32768  50%    1.23MB/s    0:00:00 (xfr#1, ir-chk=1002/2005)
Number of files: 2005 (reg: 1500, dir: 500, link: 5)
Number of created files: 1 (reg: 1)
Total transferred file size: 4108 bytes
"""
SUMS = (
    ">fc........|5|0123456789abcdef0123456789abcdef|etc/pass\\#012wd",
    ".f         |5|0123456789abcdef0123456789abcdef|a|b",
    "hf+++++++++|0|0123456789abcdef0123456789abcdef|\\#1010",
)
SWAPS = """\
Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority
/dev/vda6                               partition\t1048572\t\t0\t\t-2
/swap\\040file                           file\t\t4092\t\t0\t\t-3
"""
DMESG = """{"dmesg": [
  {"pri": 3, "time": 8555.982027,
   "msg": "critical medium error, dev sda, sector 1 op 0x0:(READ) flags 0x0 phys_seg 1"},
  {"pri": 3, "time": 1, "msg": "Buffer I/O error on dev sda1, logical block 0, async page read"}
]}"""
TIMERS = """[{"next":1700000000000000,"left":1,"last":0,"passed":0,
"unit":"rescue-mirror.timer","activates":"rescue-mirror.service"},{"next":null,"unit":"b.timer"}]"""
WIPEFS = """{"signatures": [
  {"device":"vda","offset":"0x200","type":"gpt","uuid":null,"label":null},
  {"device":"vda","offset":"0x1fe","type":"PMBR","uuid":null,"label":null}]}"""
DDRESCUE = """
     pct rescued:   99.98%, read errors:        8,  remaining time:         n/a
      non-tried:        0 B,  errors:        2
        rescued:     1048 MB,  time since last successful read:  0s
     bad-sector:      512 B,    error rate:       0 B/s
"""
MKE2FS = """\
Superblock backups stored on blocks:
\t32768, 98304, 163840, 229376
"""
DEVICES = "Character devices:\n  1 mem\nBlock devices:\n  2 fd\n253 device-mapper\n259 blkext\n"
CONSOLE = """\
error: file `/boot/vmlinuz-6.1.0-18-amd64' not found.
error: you need to load the kernel first.
\x1b[0;1;31m[FAILED]\x1b[0m Failed to mount \x1b[0;1;39mhome.mount - /home\x1b[0m.
ALERT!  UUID=c0c0c0c0-0000-4000-8000-000000000004 does not exist.  Dropping to a shell!
run-init: can't execute '/sbin/init': No such file or directory
Kernel panic - not syncing: Attempted to kill init!
systemd[1]: Freezing execution.
"""


def _listen(text: str) -> None:
    listener = Listener(lambda _: None)
    for line in text.split("\n"):
        listener.line(line)


def _smart(text: str) -> None:
    for code in (0, 2, 5, 255):
        smart.parse(Result(argv=(), returncode=code, stdout=text, stderr=""))


def _errors_in(text: str) -> None:
    kernel_log.errors_in((kernel_log.KernelLine(at=0.0, text=text),), ("sda",))


FSTABS = tuple(recorded(f"discover/{name}.json") for name in ("fstab", "fstab-layers"))
RESOLVED = tuple(
    recorded(f"discover/{name}.json") for name in ("fstab-evaluated", "fstab-layers-evaluated")
)

TARGETS = (
    Target(
        name="rsync: complaints",
        parse=lambda text: parse_complaints(text, source=Path("/w/source/0"), shown_as="/srv"),
        specimens=(COMPLAINTS,),
    ),
    Target(
        name="mdadm",
        parse=md.parse_member,
        specimens=tuple(recorded(f"mdadm/raid1-{version}.txt") for version in ("1.0", "1.2")),
        errors=(RescueError,),
    ),
    Target(name="rsync: output", parse=_listen, specimens=(OUTPUT,)),
    Target(name="rsync: sent", parse=parse_sent, specimens=tuple(OUTPUT.splitlines()[:3])),
    Target(name="rsync: deleted", parse=parse_deleted, specimens=tuple(OUTPUT.splitlines()[:3])),
    Target(
        name="rsync: patterns",
        parse=lambda text: matcher((text,))("/boot/initrd.img-6.1"),
        specimens=("/a[!b-d][[:alpha:]_]?\\*/**/x", "/[?-/]", "/boot/initrd.img-*", "/EFI/"),
    ),
    Target(name="rsync: digests", parse=parse_compared, specimens=SUMS),
    Target(
        name="smartctl",
        parse=_smart,
        specimens=tuple(
            recorded(f"smart/{name}.json") for name in ("ata-passed", "nvme-passed", "virtio")
        ),
        kind=Kind.JSON,
    ),
    Target(
        name="sfdisk",
        parse=read_table.parse_table,
        specimens=tuple(
            recorded(f"discover/sfdisk-{name}.json") for name in ("gpt", "mbr", "nvme")
        ),
        kind=Kind.JSON,
        errors=(RescueError,),
    ),
    Target(
        name="findmnt: mounts",
        parse=blockinfo.parse_mounts,
        specimens=(recorded("discover/findmnt.json"), recorded("discover/findmnt-layers.json")),
        kind=Kind.JSON,
        errors=(RescueError,),
    ),
    Target(
        name="findmnt: fstab",
        parse=lambda text: blockinfo.parse_fstab(text, text),
        specimens=FSTABS,
        kind=Kind.JSON,
        errors=(RescueError,),
    ),
    Target(
        name="findmnt: fstab, resolved",
        parse=lambda text: blockinfo.parse_fstab(FSTABS[0], text),
        specimens=RESOLVED[:1],
        kind=Kind.JSON,
        errors=(RescueError,),
    ),
    Target(name="swaps", parse=blockinfo.parse_swaps, specimens=(SWAPS,), errors=(RescueError,)),
    Target(
        name="blkid",
        parse=lambda text: blockinfo.parse_signature(blockinfo.parse_properties(text)),
        specimens=tuple(
            recorded(f"discover/blkid-{name}.txt") for name in ("ext4", "gpt", "swap", "vfat")
        ),
    ),
    Target(
        name="wipefs",
        parse=dead_table.parse_gpt_places,
        specimens=(WIPEFS,),
        kind=Kind.JSON,
        errors=(RescueError,),
    ),
    Target(
        name="dumpe2fs",
        parse=filesystems.parse_dumpe2fs,
        specimens=(recorded("discover/dumpe2fs-ext4.txt"),),
    ),
    Target(
        name="xfs_db",
        parse=filesystems.parse_xfs_info,
        specimens=(recorded("discover/xfs-info.txt"),),
    ),
    Target(
        name="btrfs: superblock",
        parse=filesystems.parse_dump_super,
        specimens=(recorded("discover/btrfs-super.txt"),),
    ),
    Target(
        name="btrfs: subvolumes",
        parse=btrfs.parse_subvolumes,
        specimens=(recorded("discover/btrfs-subvolumes.txt"),),
        errors=(RescueError,),
    ),
    Target(
        name="cryptsetup: LUKS 1",
        parse=luks.parse_text,
        specimens=(recorded("discover/luks1-dump.txt"),),
        errors=(RescueError,),
    ),
    Target(
        name="cryptsetup: LUKS 2",
        parse=luks.parse_json,
        specimens=(recorded("discover/luks2-dump.json"),),
        kind=Kind.JSON,
        errors=(RescueError,),
    ),
    Target(
        name="dmesg",
        parse=kernel_log.parse_lines,
        specimens=(DMESG,),
        kind=Kind.JSON,
        errors=(RescueError,),
    ),
    Target(
        name="the kernel's read errors",
        parse=_errors_in,
        specimens=(DMESG.splitlines()[2][11:], DMESG.splitlines()[3][31:]),
    ),
    Target(
        name="systemctl list-timers",
        parse=systemd.parse_timers,
        specimens=(TIMERS,),
        kind=Kind.JSON,
        errors=(RescueError,),
    ),
    Target(
        name="systemctl show",
        parse=lambda text: systemd.parse_service("a.service", text),
        specimens=("Result=exit-code\nExecMainExitTimestamp=@1700000000\nExecMainStatus=13\n",),
        errors=(RescueError,),
    ),
    Target(name="ddrescue", parse=ddrescue.parse_share, specimens=(DDRESCUE[1:].splitlines()[0],)),
    Target(name="ddrescuelog", parse=ddrescue.parse_status, specimens=(DDRESCUE,)),
    Target(name="mke2fs", parse=parse_positions, specimens=(MKE2FS,)),
    Target(name="/proc/devices", parse=parse_block_drivers, specimens=(DEVICES,)),
    Target(name="console: the cause", parse=signs.findings, specimens=(CONSOLE,)),
    Target(name="console: hope", parse=signs.is_hopeless, specimens=(CONSOLE,)),
)

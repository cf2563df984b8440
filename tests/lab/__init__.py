"""The lab: Debian servers in QEMU, with disks that can be attached, broken and read afterwards."""

"""Doors to what starts a system: GRUB, initramfs, systemd, dpkg, live images."""

#!/bin/sh
# Runs once in the guest, on the disk the image will be: what Debian's installer does at the end.
#   finish.sh DISK_BY_ID TABLE           (TABLE: gpt or dos)
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
disk=$1 table=$2

grub-install --target=i386-pc "$disk"
if [ "$table" = gpt ]; then
    grub-install --target=x86_64-efi --efi-directory=/boot/efi --bootloader-id=debian \
        --no-nvram --force-extra-removable
fi
update-grub

# What `dpkg-reconfigure grub-pc` would have stored: upgrades of GRUB install to this disk.
printf '%s\n' "grub-pc grub-pc/install_devices multiselect $disk" \
    "grub-pc grub-pc/install_devices_empty boolean false" | debconf-set-selections

python3 /root/contents.py
rm -f /root/contents.py /root/finish.sh
sync
fstrim --all || true

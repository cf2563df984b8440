#!/bin/sh
# Runs on a server of the lab with the layout `gpt`: installs that server on two more disks, whose
# partitions mirror one another by md, as Debian's installer does with "software RAID". Both disks may
# be written to from end to end.
#
#   install-md.sh DISK DISK
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
new=/mnt/new

uuid() {
    blkid -p -s UUID -o value "$1"
}

# --- partitions, the same on both: BIOS boot, ESP, /boot, root, home, swap
for disk in "$@"; do
    sfdisk --quiet --wipe always "$disk" <<'END'
label: gpt
start=1MiB, size=1MiB, type=21686148-6449-6E6F-744E-656564454649
size=126MiB, type=U
size=384MiB, type=R
size=3072MiB, type=R
size=1024MiB, type=R
size=512MiB, type=R
END
done
udevadm settle

# --- arrays, with metadata where the firmware, GRUB and old kernels look for what they know
array() {
    name=$1 number=$2
    shift 2
    mdadm --create "/dev/md/$name" --run --quiet --level=1 --raid-devices=2 --homehost=server \
        --assume-clean "$@" "$first$number" "$second$number"
}
first=$1 second=$2
array esp 2 --metadata=1.0
array 0 3 --metadata=1.2
array 1 4 --metadata=1.2
array home 5 --metadata=1.2 --bitmap=internal
array swap 6 --metadata=0.90
udevadm settle
# Clusters of one sector: with fewer than 65525 of them OVMF takes FAT32 for FAT16.
mkfs.vfat -F 32 -s 1 /dev/md/esp > /dev/null
mkfs.ext4 -q /dev/md/0
mkfs.ext4 -q /dev/md/1
mkfs.xfs -q /dev/md/home
mkswap /dev/md/swap > /dev/null

# --- the server
mount --mkdir /dev/md/1 "$new"
mount --mkdir /dev/md/0 "$new/boot"
mount --mkdir /dev/md/esp "$new/boot/efi"
mount --mkdir /dev/md/home "$new/home"
for mount_point in / /boot /home; do
    rsync -aHAXSx --numeric-ids "${mount_point%/}/" "$new$mount_point"
done
cat > "$new/etc/fstab" <<END
# /etc/fstab: static file system information.
#
# <file system> <mount point>   <type>  <options>       <dump>  <pass>
# / was on /dev/md1 during installation
UUID=$(uuid /dev/md/1) /               ext4    errors=remount-ro 0       1
# /boot was on /dev/md0 during installation
UUID=$(uuid /dev/md/0) /boot           ext4    defaults        0       2
UUID=$(uuid /dev/md/esp)  /boot/efi       vfat    umask=0077      0       1
/dev/md/home /home           xfs     defaults        0       0
/dev/md/swap none            swap    sw              0       0
/dev/sr0        /media/cdrom0   udf,iso9660 user,noauto     0       0
END
echo RESUME=/dev/md/swap > "$new/etc/initramfs-tools/conf.d/resume"
{
    sed -e '/^ARRAY/d' -e '/^# This configuration/d' /etc/mdadm/mdadm.conf
    echo '# definitions of existing MD arrays'
    mdadm --detail --scan
} > "$new/etc/mdadm/mdadm.conf"

# --- its boot: from either disk
for folder in dev proc sys run; do
    mount --rbind --make-rslave "/$folder" "$new/$folder"
done
in_new() {
    chroot "$new" "$@"
}
in_new update-initramfs -u -k all
for disk in "$@"; do
    in_new grub-install --target=i386-pc "$disk"
done
in_new grub-install --target=x86_64-efi --efi-directory=/boot/efi --bootloader-id=debian \
    --no-nvram --force-extra-removable
in_new update-grub
umount --recursive "$new"
mdadm --stop --scan
sync

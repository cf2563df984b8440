#!/bin/sh
# Runs on a server of the lab with the layout `gpt`: installs that server on a second disk, as Debian's
# installer does with guided partitioning and layers. The second disk may be written to from end to end.
#
#   install.sh DISK LAYOUT PASSPHRASE          (LAYOUT: lvm or lvm-luks)
set -eu
# Services that start meanwhile would keep its mounts in namespaces of their own.
[ -n "${ALONE-}" ] || ALONE=1 exec unshare --mount sh "$0" "$@"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
disk=$1 layout=$2 passphrase=$3
new=/mnt/new

part() {
    case $disk in
        *[0-9]) printf '%sp%s\n' "$disk" "$1" ;;
        *) printf '%s%s\n' "$disk" "$1" ;;
    esac
}

uuid() {
    blkid -p -s UUID -o value "$1"
}

# --- partitions: BIOS boot, ESP, /boot, and the rest for LVM
sfdisk --quiet --wipe always "$disk" <<'END'
label: gpt
start=1MiB, size=1MiB, type=21686148-6449-6E6F-744E-656564454649
size=126MiB, type=U
size=384MiB, type=L
size=5600MiB, type=E6D6D379-F507-44C2-A23C-238F2A3DF928
END
udevadm settle
# Clusters of one sector: with fewer than 65525 of them OVMF takes FAT32 for FAT16.
mkfs.vfat -F 32 -s 1 "$(part 2)" > /dev/null
mkfs.ext4 -q "$(part 3)"

# --- LUKS, derived with the least work that argon2id allows: this processor is emulated
physical=$(part 4)
if [ "$layout" = lvm-luks ]; then
    printf %s "$passphrase" | cryptsetup luksFormat --batch-mode --type luks2 --key-file - \
        --pbkdf argon2id --pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4 "$physical"
    printf %s "$passphrase" | cryptsetup open --key-file - "$physical" sda3_crypt
    physical=/dev/mapper/sda3_crypt
fi

# --- LVM, with about 990 MiB of the group left free
pvcreate --quiet --yes "$physical"
vgcreate --quiet --yes vg0 "$physical"
lvcreate --quiet --yes --size 3072M --name root vg0
lvcreate --quiet --yes --size 512M --name swap vg0
lvcreate --quiet --yes --size 1024M --name home vg0
mkfs.ext4 -q /dev/vg0/root
mkfs.xfs -q /dev/vg0/home
mkswap /dev/vg0/swap > /dev/null

# --- the server
mount --mkdir /dev/vg0/root "$new"
mount --mkdir "$(part 3)" "$new/boot"
mount --mkdir "$(part 2)" "$new/boot/efi"
mount --mkdir /dev/vg0/home "$new/home"
for mount_point in / /boot /home; do
    rsync -aHAXSx --numeric-ids "${mount_point%/}/" "$new$mount_point"
done
cat > "$new/etc/fstab" <<END
# /etc/fstab: static file system information.
#
# <file system> <mount point>   <type>  <options>       <dump>  <pass>
/dev/mapper/vg0-root /               ext4    errors=remount-ro 0       1
# /boot was on /dev/sda3 during installation
UUID=$(uuid "$(part 3)") /boot           ext4    defaults        0       2
# /boot/efi was on /dev/sda2 during installation
UUID=$(uuid "$(part 2)")  /boot/efi       vfat    umask=0077      0       1
/dev/mapper/vg0-home /home           xfs     defaults        0       0
/dev/mapper/vg0-swap none            swap    sw              0       0
/dev/sr0        /media/cdrom0   udf,iso9660 user,noauto     0       0
END
echo RESUME=/dev/mapper/vg0-swap > "$new/etc/initramfs-tools/conf.d/resume"
if [ "$layout" = lvm-luks ]; then
    echo "sda3_crypt UUID=$(uuid "$(part 4)") none luks,discard" > "$new/etc/crypttab"
fi

# --- its boot
for folder in dev proc sys run; do
    mount --rbind --make-rslave "/$folder" "$new/$folder"
done
in_new() {
    chroot "$new" "$@"
}
in_new update-initramfs -u -k all
in_new grub-install --target=i386-pc "$disk"
in_new grub-install --target=x86_64-efi --efi-directory=/boot/efi --bootloader-id=debian \
    --no-nvram --force-extra-removable
in_new update-grub
umount --recursive "$new"
sync

#!/bin/sh
# Unpacks the tree and writes its file systems into the partitioned disk image.
# Needs to be root, or to look like it: owners, modes and file capabilities go from the tar archive
# through a directory into the file systems. No mount, no loop device.
#
#   filesystems.sh TREE.tar WORK_DIRECTORY DISK.raw FSTAB RESUME_CONF PARTITIONS
#
# PARTITIONS is a file with one ext4 file system a line, deepest mount point first:
#   MOUNT_POINT OFFSET_BYTES SIZE_KIB UUID LABEL        (LABEL '-' for none)
set -eu
tree=$1 work=$2 disk=$3 fstab=$4 resume=$5 partitions=$6

mkdir "$work/root"
# Device nodes cannot be made in a user namespace, and the kernel mounts its own /dev.
tar --extract --file "$tree" --directory "$work/root" --numeric-owner --same-owner \
    --same-permissions --xattrs --xattrs-include='*' --exclude='./dev/*'
cp "$fstab" "$work/root/etc/fstab"
cp "$resume" "$work/root/etc/initramfs-tools/conf.d/resume"
chmod 644 "$work/root/etc/fstab" "$work/root/etc/initramfs-tools/conf.d/resume"
# An empty machine-id would make the first boot enable every unit there is.
tr -d - < /proc/sys/kernel/random/uuid > "$work/root/etc/machine-id"
chmod 444 "$work/root/etc/machine-id"

# Once more, with the fstab and the swap space of this layout. In the guest it takes minutes under
# emulation. The mounts end with their namespace: what is removed below is the tree alone.
unshare --mount sh -euc '
    mount --rbind /dev "$1/dev"
    mount --rbind /proc "$1/proc"
    PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8 chroot "$1" update-initramfs -u -k all
' sh "$work/root"

cat "$work"/root/boot/vmlinuz-* > "$work/vmlinuz"
cat "$work"/root/boot/initrd.img-* > "$work/initrd"

while read -r mount_point offset size uuid label; do
    source=$work/root
    if [ "$mount_point" != / ]; then
        source=$work/part
        mv "$work/root$mount_point" "$source"
        mkdir --mode=755 "$work/root$mount_point"
    fi
    [ "$label" != - ] || label=
    mke2fs -q -F -t ext4 -U "$uuid" -L "$label" -d "$source" \
        -E "offset=$offset,lazy_itable_init=0,lazy_journal_init=0,nodiscard" "$disk" "${size}k"
    rm -rf "$source"
done < "$partitions"

#!/bin/sh
# Runs in the rescue system's new tree (chroot, no init running) after its packages are there.
# Kernel and initramfs end as /boot/vmlinuz and /boot/initrd.img.
set -eu
export LC_ALL=C.UTF-8

echo rescue > /etc/hostname
printf '127.0.0.1\tlocalhost\n127.0.1.1\trescue\n' > /etc/hosts
: > /etc/fstab
# Whoever stands before the machine owns it: a console without password, and no password at all
# for the network.
passwd --lock root > /dev/null

systemctl enable --quiet systemd-networkd.service rescue-ssh.service
# Nobody wants these while a disk is dying; ssh comes only with a key, from rescue-ssh.service.
systemctl disable --quiet ssh.service
systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer mdcheck_start.timer \
    mdcheck_continue.timer mdmonitor-oneshot.timer smartmontools.service

# Layers are looked at, not assembled by themselves: nothing may write to a disk unasked.
printf 'AUTO -all\n' > /etc/mdadm/mdadm.conf
sed -i 's/^.*event_activation = .*/\tevent_activation = 0/' /etc/lvm/lvm.conf

update-initramfs -u -k all
mv /boot/vmlinuz-* /boot/vmlinuz
mv /boot/initrd.img-* /boot/initrd.img
rm -f /boot/System.map-* /boot/config-* /vmlinuz* /initrd.img*

# What differs from one build to the next.
rm -f /etc/ssh/ssh_host_* /etc/machine-id /var/lib/dbus/machine-id /var/cache/ldconfig/aux-cache
apt-get clean
rm -rf /var/log/* /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old \
    /var/lib/dpkg/*-old /tmp/* /run/*
: > /etc/machine-id

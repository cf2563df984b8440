#!/bin/sh
# Runs inside the new tree (chroot, no init running) after the packages of packages.txt are there.
# The files of the recipe lie below /recipe. FLAVOUR is the kernel's flavour, for example cloud-amd64.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
cd /recipe

install_packages() {
    apt-get install --yes --quiet --no-install-recommends "$@"
}

# --- boot loaders: BIOS as the configured package, UEFI co-installed as its -bin and -signed parts
grep -v '^#' debconf.txt | debconf-set-selections
install_packages grub-pc grub-pc-bin grub2-common grub-efi-amd64-bin grub-efi-amd64-signed shim-signed

# --- two kernels: the second newest installed, the newest waiting as a file for the upgrade scenario
# Debian 12 counts within its series (6.1.0-50), Debian 13 takes the kernel's own count (6.12.117+deb13).
newest=$(apt-cache depends --important "linux-image-$FLAVOUR" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p')
series=$(printf '%s' "$newest" | grep -oE '^linux-image-[0-9]+\.[0-9]+\.')
pair=$(apt-cache pkgnames "$series" | grep -E "^linux-image-[^-]+(-[0-9]+)?-$FLAVOUR\$" | sort -V | tail -n 2)
if [ "$(printf '%s\n' "$pair" | wc -l)" -ne 2 ]; then
    echo "fewer than two kernels of the series $series*-$FLAVOUR are published: $pair" >&2
    exit 1
fi
older=$(printf '%s\n' "$pair" | head -n 1)
newer=$(printf '%s\n' "$pair" | tail -n 1)
install_packages "$older"
mkdir -p /var/cache/rescue-lab
(cd /var/cache/rescue-lab && apt-get download --quiet "$newer")

# --- files of the recipe
cp --recursive --no-preserve=ownership overlay/. /
# Debian's own file, which differs between its releases, for a machine with a serial console.
sed -i -e 's/^GRUB_TIMEOUT=.*/GRUB_TIMEOUT=1/' \
    -e 's/^GRUB_CMDLINE_LINUX=.*/GRUB_CMDLINE_LINUX="console=tty0 console=ttyS0,115200"/' /etc/default/grub
cat >> /etc/default/grub <<'END'
GRUB_TERMINAL="console serial"
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
END
mkdir -p /media/cdrom0 /boot/efi /root/.ssh
cp id_ed25519.pub /root/.ssh/authorized_keys
chmod 700 /root/.ssh
echo server > /etc/hostname
printf '127.0.0.1\tlocalhost\n127.0.1.1\tserver\n' > /etc/hosts
: > /etc/resolv.conf
rm -f /etc/ssh/ssh_host_*
ssh-keygen -A
echo 'root:lab' | chpasswd
for user in anna bela; do
    useradd --create-home --shell /bin/bash "$user"
done

python3 -m pip install --no-index --find-links wheels --break-system-packages \
    --root-user-action ignore --requirement wheels.txt

# --- units
systemctl enable systemd-networkd.service
# They only look for layers this server does not have, and cost seconds under emulation.
systemctl mask lvm2-monitor.service dm-event.socket blk-availability.service \
    mdmonitor.service mdcheck_start.timer mdcheck_continue.timer mdmonitor-oneshot.timer \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer

apt-get clean
rm -rf /recipe

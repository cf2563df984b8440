"""A server as people have it: a menu that names more than its kernels, settings behind links."""

import pytest

from tests.lab.guest import Guest
from tests.lab.lab import Lab
from tests.lab.stock import MIRROR

OTHER_DISK = "12345678-9999-4999-8999-123456789abc"
# What /etc/grub.d/20_memtest86+ writes, and a chain loader of one's own: to a disk that is not
# there, and by a UUID of the server's.
SCRIPTS = """
cat > /etc/grub.d/20_memory_test <<'END'
#!/bin/sh
cat <<MENU
menuentry "Memory test" {
\tsearch --no-floppy --fs-uuid --set=root $(grub-probe --target=fs_uuid /boot)
\tlinux /memory-test.bin
}
MENU
END
cat > /etc/grub.d/45_custom <<END
#!/bin/sh
exec tail -n +3 \\$0
menuentry "Windows" {
\tsearch --no-floppy --fs-uuid --set=root OTHER
\tchainloader +1
}
menuentry "The server's own boot menu" {
\tsearch --no-floppy --fs-uuid --set=root $(findmnt --noheadings --output UUID /boot)
\tconfigfile /grub/grub.cfg
}
END
chmod 755 /etc/grub.d/20_memory_test /etc/grub.d/45_custom
head --bytes=1500 /boot/vmlinuz-* > /boot/memory-test.bin
""".replace("OTHER", OTHER_DISK)
SETTINGS = """
mkdir /etc/machine /etc/systemd/system/home.mount.d /etc/default/grub.d/site
mv /etc/fstab /etc/machine/fstab
ln --symbolic machine/fstab /etc/fstab
home=$(findmnt --noheadings --output UUID /home)
printf '[Mount]\\nWhat=/dev/disk/by-uuid/%s\\n' $home > /etc/systemd/system/home.mount.d/what.conf
echo "# a note about $home" > /etc/default/grub.d/site/note.cfg
systemctl daemon-reload
"""


@pytest.mark.long
def test_what_else_a_menu_names_and_settings_behind_links(lab: Lab) -> None:
    with lab.prepared_server("gpt") as server:
        server.run(SCRIPTS)
        server.run(SETTINGS)
        story(lab, server)


def story(lab: Lab, server: Guest) -> None:
    """From the night to the mirror alone, where update-grub writes its menu anew."""
    server.run("update-grub 2>&1")
    source = set(server.run("lsblk --noheadings --output UUID,PARTUUID /dev/vda").stdout.split())
    said = server.run("rescue mirror").stdout
    assert "generation 2, audit passed" in said
    assert f"searches for {OTHER_DISK}, which is on another disk" in said
    server.run("rescue audit")
    mirror = server.disk(MIRROR)
    server.poweroff()
    with lab.machine([mirror]) as machine:
        machine.wait_for_ssh()
        assert machine.failed_units() == []
        assert machine.run("readlink /etc/fstab").stdout == "machine/fstab\n"
        assert machine.run("cat /etc/default/grub.d/site/note.cfg").stdout.startswith("# a note")
        machine.run("update-grub 2>&1")
        settings = "/boot/grub/grub.cfg /etc/grub.d /etc/machine /etc/systemd/system"
        read = machine.run(f"grep --recursive --no-filename . {settings}").stdout
        assert [name for name in sorted(source) if name in read] == []

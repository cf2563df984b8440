"""The unit that a mirror starts with, confined: what it is for it can still do."""

from pathlib import Path

import pytest

from tests.lab.lab import Lab
from tests.lab.variant import BOOKWORM, TRIXIE_NVME, Variant

UNIT = Path(__file__).parents[2] / "rescue/templates/rescue-booted.service"
TERMINAL = "script --quiet --command '{}' /dev/null"
"""Runs a command on a terminal of its own (man 1 script)."""
MIRROR = """
mkdir --mode 700 /.rescue && echo '{}' > /.rescue/mirror.json
echo 'runs from its mirror' > /.rescue/motd && echo 'a mirror: \\n' > /.rescue/issue
mkdir -p /etc/issue.d && echo 'of this server' > /etc/issue.d/own.issue
chown bela: /etc/issue.d/own.issue
systemctl daemon-reload && systemctl start rescue-booted
"""


@pytest.mark.parametrize("variant", [BOOKWORM, pytest.param(TRIXIE_NVME, marks=pytest.mark.long)])
def test_it_notes_the_start_and_every_login_is_told(lab: Lab, variant: Variant) -> None:
    with lab.bare_server(variant=variant) as server:
        server.put(UNIT, "/etc/systemd/system/rescue-booted.service")
        server.run(MIRROR)
        assert server.failed_units() == []
        said = server.run("journalctl --no-pager --unit rescue-booted").stdout
        assert "denied" not in said
        assert "not permitted" not in said

        boot, when = server.run("cat /.rescue/booted").stdout.split()
        assert boot == server.run("cat /proc/sys/kernel/random/boot_id").stdout.strip()
        assert when.endswith("Z")
        assert server.run("cat /run/motd.d/rescue").stdout == "runs from its mirror\n"
        # What agetty says, and what the server had for it.
        issue = server.run(TERMINAL.format("agetty --show-issue")).stdout
        assert "a mirror: server" in issue
        assert "of this server" in issue
        assert server.run("stat -c %U /etc/issue.d/own.issue").stdout == "bela\n"

        server.run("umount /etc/issue.d")
        assert server.run("ls /etc/issue.d").stdout == "own.issue\n"

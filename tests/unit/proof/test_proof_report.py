"""The probe's lines, and the probe itself as the system's own shell reads it."""

import base64
import hashlib
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.errors import RescueError
from rescue.model.proof import ProofSettings
from rescue.proof.inject import heard, write_probe
from rescue.proof.report import parse_report


def line(name: str, text: str) -> str:
    said = f"{name} {base64.b64encode(text.encode()).decode()}"
    return f"rescue-proof {said} {hashlib.sha256(said.encode()).hexdigest()}\r\n"


def test_nothing_was_said_before_it_began() -> None:
    assert parse_report("\x1b[2J GRUB loading.\n") is None


def test_a_report_between_other_lines() -> None:
    findmnt = '{"filesystems": [{"target": "/", "uuid": "u", "fstype": "ext4", "options": "rw"}]}'
    text = "GRUB loading.\r\n" + "".join(
        (
            line("uptime", "3.25\n"),
            line("state", "degraded"),
            line("times", "UserspaceTimestampMonotonic=8000000\nFinishTimestampMonotonic=31500000"),
            line("failed", "a.service loaded failed failed A\nb.mount loaded failed failed B\n"),
            line("mounts", findmnt),
            line("homes", "1000 1000 /home/anna\n1001 none /home/with blank\n1002 0 /home/c\n"),
            line("root-readable", "yes\n"),
            line("check-1", "3\nno such\nfile"),
            line("done", "yes\n"),
        )
    )
    report = parse_report(text, checks=("true", "nginx -t"))
    assert report is not None
    assert (report.uptime, report.userspace, report.finished) == (3.25, 8.0, 31.5)
    assert report.failed == ("a.service", "b.mount")
    assert [(m.target, m.uuid, m.read_only) for m in report.mounts] == [("/", "u", False)]
    assert [(h.path, h.present, h.owned) for h in report.homes] == [
        ("/home/anna", True, True),
        ("/home/with blank", False, False),
        ("/home/c", True, False),
    ]
    assert report.root_readable
    (check,) = report.checks
    assert (check.command, check.exit_code, check.said) == ("nginx -t", 3, "no such\nfile")
    assert report.done
    assert "check-1" in report.heard
    assert {"check-0", "fstab", "waiting"}.isdisjoint(report.heard)


def test_what_is_empty_was_heard_and_what_was_lost_was_not() -> None:
    report = parse_report(line("uptime", "1") + line("failed", ""))
    assert report is not None
    assert report.failed == ()
    assert report.heard == {"uptime", "failed"}


@pytest.mark.parametrize(
    "came",
    [
        "rescue-proof check-0 \r\nDebian GNU/Linux 12 server ttyS1\r\n",
        line("check-0", "1\nno such file").replace(" MQpu", " ", 1),
        line("check-0", "0").replace("check-0", "check-1"),
        line("failed", "a.service").replace("YS5zZXJ2aWNl", ""),
        line("failed", "a.service\nb.service").replace("CmIuc2VydmljZQ==", ""),
        "rescue-proof check-0 MA==[   12.3] random: crng init done\r\n",
        line("check-0", ""),
        line("check-0", "no number"),
    ],
)
def test_an_answer_that_came_in_pieces_was_not_heard(came: str) -> None:
    report = parse_report(line("uptime", "1") + came, checks=("nginx -t",))
    assert report is not None
    assert report.checks == ()
    assert report.heard == {"uptime"}


def test_what_came_before_the_first_answer_was_lost_is_a_report() -> None:
    report = parse_report(line("state", "running"))
    assert report is not None
    assert report.uptime == 0.0
    assert report.heard == {"state"}


def test_the_last_answer_counts_and_one_that_was_cut_does_not() -> None:
    text = line("uptime", "1") + line("waiting", "1 a.device start running\n")
    text += (
        line("waiting", "2 b.device start running\n3 multi-user.target start waiting\n")
        + line("done", "yes")[:-9]
    )
    report = parse_report(text)
    assert report is not None
    assert report.waiting == ("b.device",)
    assert not report.done


@given(st.text(max_size=200))
def test_nothing_that_is_printed_breaks_it(noise: str) -> None:
    report = parse_report(line("uptime", "1") + noise + "\n" + line("state", "running"))
    assert report is not None


@given(st.text())
def test_no_answer_can_be_taken_for_another(said: str) -> None:
    report = parse_report(line("uptime", "1") + line("check-0", f"0\n{said}"), checks=("x",))
    assert report is not None
    assert not report.done
    assert report.state == ""


def test_the_probe_is_plain_sh() -> None:
    probe = files("rescue").joinpath("templates", "proof-probe.sh")
    subprocess.run(["sh", "-n", str(probe)], check=True)


def test_the_probe_is_a_unit_that_starts_at_once(tmp_path: Path) -> None:
    write_probe(tmp_path, ProofSettings(checks=("nginx -t", "echo '$x'"), time_limit_minutes=10))
    wanted = tmp_path / "etc/systemd/system/sysinit.target.wants/rescue-proof.service"
    assert "ExecStart=/bin/sh /.rescue/proof/probe.sh" in wanted.read_text()
    assert (tmp_path / ".rescue/proof/check-1").read_text() == "echo '$x'\n"
    assert (tmp_path / ".rescue/proof/patience").read_text() == "360\n"
    assert (tmp_path / ".rescue/proof").stat().st_mode & 0o777 == 0o700


GETTY = "etc/systemd/system/serial-getty@ttyS1.service"


@pytest.mark.parametrize("before", ["", "file", "link"])
def test_no_getty_shares_the_line_of_the_probe(tmp_path: Path, before: str) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    (root / GETTY).parent.mkdir(parents=True)
    outside.write_text("of the running system\n")
    if before == "file":
        (root / GETTY).write_text("[Service]\n")
    elif before == "link":
        (root / GETTY).symlink_to(outside)
    write_probe(root, ProofSettings())
    assert (root / GETTY).readlink() == Path("/dev/null")
    assert outside.read_text() == "of the running system\n"


@pytest.mark.parametrize(
    ("words", "then"),
    [
        ("ro console=ttyS1,115200n8 quiet", "ro quiet console=tty0 console=ttyS0"),
        ("ro console=tty0 console=ttyS1", "ro console=tty0 console=tty0 console=ttyS0"),
        ("ro console=ttyS0,115200 console=ttyS1", "ro console=ttyS0,115200"),
        ("ro console=ttyS10 quiet", "ro console=ttyS10 quiet console=tty0 console=ttyS0"),
    ],
)
def test_no_kernel_speaks_on_the_line_of_the_probe(words: str, then: str) -> None:
    menu = "menuentry 'a' {{\n\tlinux\t/vmlinuz root=UUID=x {}\n}}\n"
    assert heard(menu.format(words)) == menu.format(then)
    assert heard(menu.format(then)) == menu.format(then)


def test_a_kernel_is_made_to_speak_on_the_serial_console() -> None:
    menu = (
        "menuentry 'a' {\n\tlinux\t/vmlinuz root=UUID=x ro quiet\n\tinitrd\t/initrd.img\n}\n"
        "menuentry 'b' {\n\tlinux /vmlinuz root=UUID=x console=ttyS0,115200\n}\n"
        "set linux_gfx_mode=auto\n"
    )
    first = "/vmlinuz root=UUID=x ro quiet"
    assert heard(menu) == menu.replace(first, f"{first} console=tty0 console=ttyS0")
    assert heard(heard(menu)) == heard(menu)


def test_the_probe_is_laid_through_no_link_of_the_mirror(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    (root / "etc").mkdir(parents=True)
    (root / "etc/systemd").symlink_to(outside)
    with pytest.raises(RescueError, match="/etc/systemd on the mirror is a link"):
        write_probe(root, ProofSettings())
    assert list(outside.iterdir()) == []


def test_answers_that_were_cut_or_are_no_numbers_are_passed_over() -> None:
    text = (
        line("uptime", "nan")
        + line("root-free", "1e999")
        + line("homes", "1000 1000 /home/anna\n1001\n1002 none\n")
        + line("mounts", '{"filesystems": ["/"]}')
        + line("fstab", "[" * 100_000)
        + line("check-0", "9" * 5_000)
    )
    report = parse_report(text, checks=("true",))
    assert report is not None
    assert (report.uptime, report.root_free) == (0.0, -1)
    assert [home.path for home in report.homes] == ["/home/anna"]
    assert (report.mounts, report.fstab, report.checks) == ((), (), ())

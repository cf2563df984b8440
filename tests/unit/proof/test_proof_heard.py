"""From the probe's own shell to the verdict: an answer that was lost is never a good one."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.model.finding import Severity
from rescue.model.mirror.secret import Secret
from rescue.model.proof import ProbeReport
from rescue.proof.report import ANSWERS, parse_report
from rescue.proof.verdict import judge
from rescue.store.codec import to_json, to_stored_json
from tests.unit.proof.test_proof_report import line
from tests.unit.proof.test_proof_verdict import GOOD, MOUNTS, PLAN, RECORD, cause, seen

CHECKS = PLAN.settings.checks
ANSWERED = {
    "uptime": "3.0\n",
    "command-line": GOOD.command_line,
    "root-mode": "755\n",
    "root-readable": "yes\n",
    "root-free": "10000000\n",
    "state": "running",
    "times": "UserspaceTimestampMonotonic=8000000\nFinishTimestampMonotonic=30000000\n",
    "failed": "",
    "journal": "",
    "mounts": json.dumps(
        {
            "filesystems": [
                {"target": m.target, "uuid": m.uuid, "fstype": m.fstype, "options": "rw"}
                for m in MOUNTS
            ]
        }
    ),
    "fstab": json.dumps(
        {
            "filesystems": [
                {
                    "target": m.target,
                    "source": f"UUID={m.uuid}",
                    "fstype": m.fstype,
                    "options": "defaults",
                }
                for m in MOUNTS
            ]
        }
    ),
    "swaps": "".join(f"{swap.mirror_uuid}\n" for swap in RECORD.swaps),
    "closed-layers": "",
    "homes": "1000 1000 /home/anna\n",
    "marker": to_json(RECORD),
    "check-0": "0\n",
    "done": "yes\n",
}
BAD = ANSWERED | {
    "state": "degraded",
    "failed": "nfs-a.mount loaded failed failed NFS\na.service loaded failed failed A\n",
    "check-0": "1\nno such file",
}


def text_of(answers: Mapping[str, str]) -> str:
    """Return what comes through the line where nothing else speaks on it: all of it twice."""
    return "".join(line(name, said) for name, said in answers.items()) * 2


def verdict(text: str) -> str:
    """Return the cause of a boot of which this was heard, '' where it passed."""
    return cause(seen(parse_report(text, checks=CHECKS)))


def test_a_good_report_passes() -> None:
    assert parse_report(text_of(ANSWERED), checks=CHECKS) == GOOD
    assert verdict(text_of(ANSWERED)) == ""


def test_a_bad_one_does_not_pass() -> None:
    assert "a unit failed: a.service" in verdict(text_of(BAD))


@pytest.mark.parametrize("lost", sorted(ANSWERED))
def test_without_any_one_of_its_lines_a_good_report_does_not_pass(lost: str) -> None:
    said = verdict(text_of({name: each for name, each in ANSWERED.items() if name != lost}))
    print(f"{lost}: {said}")
    assert said
    if lost != "done":
        assert "was lost" in said


@given(st.sets(st.sampled_from(sorted(ANSWERED)), min_size=1))
def test_nor_without_several(lost: set[str]) -> None:
    kept = {name: each for name, each in ANSWERED.items() if name not in lost}
    assert verdict(text_of(kept)) != ""


NOISE = st.one_of(
    st.sampled_from(
        (
            "\r\nDebian GNU/Linux 12 server ttyS1\r\n\r\nserver login: ",
            "[   12.345678] usb 1-1: new device\r\n",
            "random crng init done\r\n",
            "Q1\r",
            "\r\n",
        )
    ),
    st.text(max_size=30),
)
HITS = st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 500), NOISE), max_size=20)


def hit(text: str, hits: list[tuple[int, int, str]]) -> str:
    """Return a text in which noise has taken the place of some pieces."""
    for place, length, noise in hits:
        place %= len(text) + 1
        text = text[:place] + noise + text[place + length :]
    return text


@given(HITS)
def test_no_noise_makes_a_bad_report_pass(hits: list[tuple[int, int, str]]) -> None:
    assert verdict(hit(text_of(BAD), hits)) != ""


@given(HITS)
def test_a_good_report_in_noise_passes_where_all_of_it_was_heard(
    hits: list[tuple[int, int, str]],
) -> None:
    report = parse_report(hit(text_of(ANSWERED), hits), checks=CHECKS)
    assert (cause(seen(report)) == "") is (report == GOOD)


@given(st.integers(0, 20_000), st.integers(0, 200), NOISE)
def test_what_was_hit_once_is_heard_the_other_time(place: int, length: int, noise: str) -> None:
    assert verdict(hit(text_of(ANSWERED), [(place, length, noise)])) == ""


def test_every_answer_that_the_probe_always_gives_is_expected() -> None:
    text = files("rescue").joinpath("templates", "proof-probe.sh").read_text()
    named = set(re.findall(r"\bsend ([a-z-]+)", text))
    assert named - {"waiting", "done"} == set(ANSWERS)


TOOLS = (
    "cut",
    "sed",
    "stat",
    "base64",
    "sha256sum",
    "tee",
    "cat",
    "tail",
    "df",
    "timeout",
    "sh",
    "sleep",
)


def probed(folder: Path, **stubs: str) -> ProbeReport:
    """Run the probe with paths and tools of its own, and return what it said.

    Tools that are neither in TOOLS nor in `stubs` are missing: none can touch this machine.
    """
    tools, port, kept = folder / "bin", folder / "port", folder / "kept"
    tools.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found, name
        (tools / name).symlink_to(found)
    for name, text in stubs.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    own = folder / ".rescue/proof"
    own.mkdir(parents=True, exist_ok=True)
    (own / "patience").write_text("0\n")
    text = files("rescue").joinpath("templates", "proof-probe.sh").read_text()
    for there, here in (
        ("/dev/ttyS1", port),
        ("/run/rescue-proof", kept),
        ("/.rescue/", f"{folder}/.rescue/"),
        ("/etc/crypttab", folder / "crypttab"),
    ):
        assert there in text
        text = text.replace(there, str(here))
    # A serial port is no file that is cut when it is opened.
    text = text.replace('>"$port"', '>>"$port"')
    subprocess.run(
        ["/bin/sh", "-c", text], env={"PATH": str(tools)}, check=False, timeout=120, cwd=folder
    )
    said = port.read_text()
    lines = said.splitlines()
    assert lines[: len(lines) // 2] == lines[len(lines) // 2 :], "all of it is said twice"
    report = parse_report(said, checks=CHECKS)
    assert report is not None
    return report


def test_the_probe_gives_each_answer_also_where_a_system_can_do_nothing(tmp_path: Path) -> None:
    report = probed(tmp_path)
    assert report.heard >= set(ANSWERS)
    assert report.done
    assert not report.root_readable
    plan = replace(PLAN, settings=replace(PLAN.settings, checks=()))
    broken = [each.message for each in judge(plan, seen(report)) if each.severity is Severity.ERROR]
    assert not any("was lost" in each for each in broken)
    assert any("systemd was still waiting for" in each for each in broken)


def test_the_probe_tells_what_failed(tmp_path: Path) -> None:
    (tmp_path / "crypttab").write_text(
        "# name\nno-such-layer UUID=x none luks\nb UUID=y none nofail\n"
    )
    own = tmp_path / ".rescue/proof"
    own.mkdir(parents=True)
    (own / "check-0").write_text("echo no such file; exit 3\n")
    told = replace(RECORD, secret=Secret.draw())
    (tmp_path / ".rescue/mirror.json").write_text(to_stored_json(told))
    systemctl = """case $* in
is-system-running) echo degraded; exit 1 ;;
*--failed*) echo 'a.service loaded failed failed A' ;;
esac"""
    report = probed(tmp_path, systemctl=systemctl, journalctl="echo no cable", setpriv="exit 0")
    assert report.heard == {*ANSWERS, "check-0", "done"}
    assert report.state == "degraded"
    assert report.failed == ("a.service",)
    assert report.journal == ("a.service: no cable",)
    assert report.closed_layers == ("no-such-layer",)
    assert report.root_readable
    assert report.marker == to_json(RECORD), "without the secret"
    assert [(each.exit_code, each.said) for each in report.checks] == [(3, "no such file")]

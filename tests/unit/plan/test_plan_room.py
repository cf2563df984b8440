"""The tight order: its commands, what it reads, and the plan that asks for it."""

from dataclasses import replace
from pathlib import Path

import pytest

from rescue.apply.bootset import started_kernels
from rescue.model.mirror.plan import MirrorRequest, Plan
from rescue.model.mirror.step import SyncTree
from rescue.model.storage.filesystem import FsKind
from rescue.plan.checks.failing_source import without_deletions
from rescue.plan.checks.room import with_room
from rescue.plan.mirror import plan_mirror
from rescue.system.rsync.listing import Sent, parse_deleted, parse_sent
from rescue.system.rsync.rsync import SyncJob, estimate_argv, sync_argv
from tests.builders import enrolled

JOB = SyncJob(source=Path("/s"), target=Path("/t"), kind=FsKind.EXT4)


def test_a_tight_job_deletes_first_and_keeps_nothing_beside_what_is_there() -> None:
    argv = sync_argv(replace(JOB, tight=True))
    assert "--delete-before" in argv
    assert not {"--delete-delay", "--delay-updates"} & set(argv)
    assert "--delete-before" in estimate_argv(replace(JOB, tight=True))
    assert not {"--delete-before", "--delete-delay"} & set(
        sync_argv(replace(JOB, tight=True, deletions=False))
    )


def test_what_is_sent_and_deleted_is_read_from_the_list() -> None:
    assert parse_sent(">f+++++++++|5|home/a b") == Sent(path="home/a b", there=False)
    assert parse_sent(">f.st......|5|a\\#012b") == Sent(path="a\nb", there=True)
    assert parse_sent("hf+++++++++|5|linked") is None
    assert parse_sent(".f..t......|5|times only") is None
    assert parse_deleted("*deleting  |0|home/old/") == "home/old"
    assert parse_deleted(">f+++++++++|5|new") is None


HEADER = """
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
else
   set default="%s"
fi
"""
ENTRIES = """
menuentry 'Debian' {
	linux	/vmlinuz-6.1.0-11-amd64 root=UUID=1 ro
	initrd	/initrd.img-6.1.0-11-amd64
}
	menuentry 'older' {
		linux	/boot/vmlinuz-6.1.0-10-amd64 root=UUID=1 ro
	}
menuentry 'memtest' {
	linux /memtest86+x64.bin
}
"""
BOTH = ("6.1.0-11-amd64", "6.1.0-10-amd64")


@pytest.mark.parametrize(
    ("menu", "started"),
    [
        (HEADER % "0" + ENTRIES, BOTH[:1]),
        (ENTRIES, BOTH[:1]),
        (HEADER % "1>older" + ENTRIES, BOTH),
        (HEADER % "${saved_entry}" + ENTRIES, BOTH),
        ("", ()),
    ],
)
def test_the_kernel_that_a_menu_starts_is_the_first_unless_it_says_another(
    menu: str, started: tuple[str, ...]
) -> None:
    assert started_kernels(menu) == started


def test_a_plan_makes_room_where_it_may_delete() -> None:
    there = enrolled()
    plan = plan_mirror(there.machine, there.record, there.record, MirrorRequest())
    assert isinstance(plan, Plan)
    points = [step.mount_point for step in plan.steps if isinstance(step, SyncTree)]
    assert with_room(plan, ()) == plan
    tight = with_room(plan, tuple(points[:1]))
    found = [step.tight for step in tight.steps if isinstance(step, SyncTree)]
    assert found == [True] + [False] * (len(points) - 1)
    assert points[0] in tight.notes[-1]
    failing = without_deletions(plan, ("SMART says so",))
    assert with_room(failing, tuple(points)) == failing

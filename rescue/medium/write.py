"""Writing the image to a stick under the grant, then reading it back to compare."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from rescue.errors import RescueError
from rescue.grants import MediumGrant
from rescue.model.event import Event, Progress
from rescue.model.medium import MediumPlan
from rescue.model.storage.identity import DiskId
from rescue.system.block import blockdev, raw_image, udev
from rescue.system.process.timed_step import timed_step
from rescue.units import MIB, human_bytes

_STEPS = 2
_AGAIN = "run it again; a stick that fails twice is worn out: take another one"


def write_medium(
    grant: MediumGrant,
    *,
    emit: Callable[[Event], None],
    identify: Callable[[str], DiskId] = udev.disk_id,
) -> None:
    """Write the plan's image to the granted stick, and compare every byte read back from it.

    Raises RefusedError where the stick is in use or is another one, RescueError where the image
    has changed since it was planned or the stick returns something else.
    """
    plan = grant.plan
    with blockdev.exclusive(plan.target_path) as held:
        grant.check(identify(plan.target_path), path=plan.target_path)
        if os.lseek(held, 0, os.SEEK_END) < plan.image.size:
            raise RescueError(f"{plan.target_path} is smaller than it was when the plan was made")
        # A GPT that the stick had would else show again from its second header.
        blockdev.erase_ends(held, length=MIB)
        with timed_step("write the medium", emit, number=1, total=_STEPS):
            _write(held, plan, emit)
        with timed_step("read it back and compare", emit, number=2, total=_STEPS):
            _compare(plan, emit)
        blockdev.reread(held)
    udev.settle()


def _write(held: int, plan: MediumPlan, emit: Callable[[Event], None]) -> None:
    tell = _teller(plan.image.size, emit)
    image = plan.image
    if not raw_image.write_image(held, Path(image.path), sha256=image.sha256, tell=tell):
        raise RescueError(
            f"{plan.image.path} changed after the plan was made: the stick is not usable",
            hint="make the image again, and write it again",
        )


def _compare(plan: MediumPlan, emit: Callable[[Event], None]) -> None:
    tell = _teller(plan.image.size, emit)
    try:
        found = raw_image.digest_of_device(plan.target_path, plan.image.size, tell=tell)
    except OSError as error:
        raise RescueError(
            f"{plan.target_path} was written and cannot be read back: {error}", hint=_AGAIN
        ) from error
    if found != plan.image.sha256:
        raise RescueError(
            f"{plan.target_path} does not return what was written to it: read SHA-256 {found}, "
            f"wrote {plan.image.sha256}",
            hint=_AGAIN,
        )


def _teller(size: int, emit: Callable[[Event], None]) -> Callable[[int], None]:
    """Return a callback that reports the progress and rate of a pass over `size` bytes."""
    begun = time.monotonic()

    def tell(done: int) -> None:
        seconds = max(time.monotonic() - begun, 0.001)
        rate = f"{human_bytes(int(done / seconds))}/s"
        emit(Progress(bytes_done=done, share=done / size, rate=rate))

    return tell

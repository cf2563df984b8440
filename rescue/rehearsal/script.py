"""The guest's script in a rehearsal, as assignments and functions of a shell (man 1 sh)."""

import shlex
from collections.abc import Iterable, Iterator

from rescue.model.rehearsal import DrillPlan, Mark


def script_settings(plan: DrillPlan, *, channel: str) -> str:
    """Return the settings that `drill-night.sh` reads first: names, and how to make its marks.

    `channel` is the device that the guest reports to.
    """
    words = {
        "CHANNEL": channel,
        "FOLDER": plan.homes.path,
        "FIRST": plan.first.serial,
        "NEW": plan.new_serial,
    }
    lines = [f"{name}={shlex.quote(word)}" for name, word in words.items()]
    lines += _function("write_here", ((mark, mark.here) for mark in plan.marks))
    lines += _function("write_late", ((mark, mark.late) for mark in plan.marks))
    return "\n".join(lines) + "\n"


def _function(name: str, contents: Iterable[tuple[Mark, str]]) -> Iterator[str]:
    yield f"{name}() {{"
    for mark, content in contents:
        if content:
            yield f'    printf %s {shlex.quote(content)} >"$FOLDER"/{shlex.quote(mark.name)}'
    yield "    sync"
    yield "}"

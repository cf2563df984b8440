"""The page of `rescue status --html`: one self-contained file, readable on a phone."""

from string import Template

from rescue.model.run.exposure import Exposure
from rescue.model.run.history import RunEnd, RunEntry
from rescue.model.run.status import Health, MirrorStatus, Status
from rescue.printable import as_html
from rescue.template import template
from rescue.ui.next_steps import step_words
from rescue.ui.rot import trouble_lines
from rescue.ui.status.facts import (
    Fact,
    disk_fact,
    duration_words,
    mirror_facts,
    moment,
    reasons,
    run_words,
)
from rescue.ui.status.lines import headline

UNKNOWN = "unknown"


def report(status: Status) -> str:
    """Return the page. Every text is escaped as it is inserted; nothing else is."""
    age, means = _age(status)
    mirrors = (*((status.own,) if status.own else ()), *status.mirrors)
    page = {
        "reasons": _list("ul", reasons(status)),
        "figures": _figures(status, status.exposure) if status.exposure else "",
        "steps": _steps(tuple(map(step_words, status.next_steps))),
        "mirrors": "\n".join(_mirror(each, now=status.at) for each in mirrors),
        "first_disk": _first_disk(status) if status.disk_health else "",
    }
    return _filled(
        "status.html",
        page,
        host=status.host,
        health_word=status.health.name,
        health_class=status.health.name.lower(),
        headline=headline(status),
        age=age,
        age_means=means,
        written=moment(status.at),
    )


def _age(status: Status) -> tuple[str, str]:
    """Return the main figure, and what it means."""
    whole = [each for each in (status.own, *status.mirrors) if each and each.last_complete]
    if not whole:
        return "never", "There is no complete mirror."
    newest = min(whole, key=lambda each: each.age)
    words = f"since the last complete run, onto mirror '{newest.name}'"
    return duration_words(newest.age), f"{words}, {moment(newest.last_complete)}"


def _duration(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else duration_words(seconds)


def _figures(status: Status, exposure: Exposure) -> str:
    return _filled(
        "status-figures.html",
        {},
        disk=_disk(status),
        lost=_duration(exposure.lost),
        boots=_duration(exposure.boots),
        failback=_duration(exposure.failback),
        failback_from=f"by {exposure.failback_from}" if exposure.failback_from else "",
    )


def _first_disk(status: Status) -> str:
    facts = {"facts": _row(disk_fact(status.disk_health))}
    return _filled("status-disk.html", facts, disk=_disk(status))


def _disk(status: Status) -> str:
    return status.disk or status.device or "the disk"


def _list(tag: str, items: tuple[str, ...]) -> str:
    rows = "".join(f"<li>{as_html(item)}</li>" for item in items)
    return f"<{tag}>{rows}</{tag}>" if items else ""


def _steps(steps: tuple[str, ...]) -> str:
    if not steps:
        return ""
    items = "\n".join(f"<li><code>{as_html(step)}</code></li>" for step in steps)
    return _filled("status-steps.html", {"steps": items})


def _mirror(each: MirrorStatus, *, now: float) -> str:
    facts = list(mirror_facts(each, now=now))
    age = duration_words(each.age) if each.last_complete else "never complete"
    facts.insert(0, Fact(name="age", said=age, bad=each.overdue_after > 0))
    if each.last_error:
        facts.insert(1, Fact(name="last error", said=each.last_error, bad=True))
    facts += [Fact(name="last run", said=said, bad=True) for said in trouble_lines(each.troubles)]
    return _filled(
        "status-mirror.html",
        {
            "facts": "\n".join(_row(fact) for fact in facts),
            "strip": "\n".join(_block(run) for run in each.recent) or _EMPTY,
            "runs": "\n".join(f"<li>{as_html(run_words(run))}</li>" for run in each.recent[::-1])
            or _EMPTY,
        },
        name=each.name,
        disk=each.disk,
        attached="attached" if each.attached else "not attached",
        state=str(each.state),
        generation=str(each.generation),
        health_word=each.health.name,
        health_class=each.health.name.lower(),
    )


_EMPTY = "<!-- no run is noted yet -->"


_COLOURS = {
    RunEnd.COMPLETE: Health.GOOD,
    RunEnd.DEGRADED: Health.WARNING,
    RunEnd.RUNNING: Health.WARNING,
}


def _block(run: RunEntry) -> str:
    """Return one run as a coloured block; its title describes it, also for screen readers."""
    health = _COLOURS.get(run.end, Health.CRITICAL)
    words = as_html(run_words(run))
    colour = health.name.lower()
    return f'<li class="{colour}" title="{words}" role="img" aria-label="{words}"></li>'


def _row(fact: Fact) -> str:
    bad = ' class="bad"' if fact.bad else ""
    return f"<tr{bad}><th>{as_html(fact.name)}</th> <td>{as_html(fact.said)}</td></tr>"


def _filled(page: str, html: dict[str, str], **words: str) -> str:
    """Fill a template: `html` as it is, `words` escaped."""
    return Template(template(page)).substitute(
        html | {name: as_html(word) for name, word in words.items()}
    )

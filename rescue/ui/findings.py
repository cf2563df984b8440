"""The findings of an audit as a chain of links, in colour or in plain words."""

from collections.abc import Iterable

from rich.text import Text

from rescue.model.finding import Finding, Severity, first_broken

_MARKS = {Severity.OK: ("ok", "green"), Severity.NOTE: ("note", "yellow")}
_BROKEN = ("BROKEN", "bold red")
_WIDTH = 12


def finding_lines(findings: Iterable[Finding], *, only_problems: bool = False) -> tuple[Text, ...]:
    """Given the findings in the chain's order, return a line for each, and a verdict at the end.

    Each line is a mark, the link, the file as the mirror names it, and what was found. The
    first broken link is highlighted: later ones may be mere consequences. `only_problems`
    leaves out the intact links, and the verdict where nothing is broken. Lines are rich texts:
    a terminal shows colours, a journal the same words.
    """
    chain = tuple(findings)
    first = first_broken(chain)
    lines = [
        _line(finding, stressed=finding is first)
        for finding in chain
        if not (only_problems and finding.severity is Severity.OK)
    ]
    if first is not None:
        lines.append(Text(f"the first broken link is: {finding_words(first)}", style="bold red"))
    elif not only_problems:
        count = sum(finding.severity is Severity.OK for finding in chain)
        lines.append(Text(f"the boot chain is intact: {count} links checked", style="bold green"))
    return tuple(lines)


def _line(finding: Finding, *, stressed: bool) -> Text:
    mark, style = _MARKS.get(finding.severity, _BROKEN)
    line = Text()
    line.append(f"{'>>' if stressed else '  '} ", style="bold red")
    line.append(f"{mark:<7}", style=style)
    line.append(f"{finding.link:<{_WIDTH}} ", style="bold" if stressed else "")
    line.append(_seen(finding), style="bold red" if stressed else "")
    return line


def finding_words(finding: Finding) -> str:
    """Return a finding as one sentence: its link, its file where there is one, what was seen."""
    return f"{finding.link}: {_seen(finding)}"


def _seen(finding: Finding) -> str:
    return f"{finding.file}: {finding.message}" if finding.file else finding.message

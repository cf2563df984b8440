"""Findings of checks and audits; a planner refuses with all of them at once."""

from dataclasses import dataclass
from enum import StrEnum

from rescue.errors import ExitCode


class Severity(StrEnum):
    """How much a finding weighs: an ERROR breaks the boot, a NOTE is worth knowing."""

    ERROR = "error"
    NOTE = "note"
    OK = "ok"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One link of the boot chain (or another thing checked) and what was found.

    `link` names the link in the chain ('grub.cfg'), `file` the file it was seen in as the mirror
    names it ('/boot/grub/grub.cfg').
    """

    severity: Severity
    link: str
    message: str
    file: str = ""


def first_broken(findings: tuple[Finding, ...]) -> Finding | None:
    """Return the first broken link of a chain: where the boot would end."""
    return next((one for one in findings if one.severity is Severity.ERROR), None)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One reason to stop: the exit code, why, and what to do next."""

    code: ExitCode
    reason: str
    hint: str = ""


@dataclass(frozen=True)
class Refused:
    """The other outcome of a planner: every reason that speaks against the plan, at least one.

    The weightiest is first; its code is what the command ends with. Raises ValueError where no
    reason is given: what nothing speaks against is no refusal.
    """

    findings: tuple[Refusal, ...]

    def __post_init__(self) -> None:
        if not self.findings:
            raise ValueError("a refusal needs a reason")

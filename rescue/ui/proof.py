"""The result of a proof, in lines."""

from rich.text import Text

from rescue.model.finding import Severity
from rescue.model.proof import Proof
from rescue.ui.status.facts import times_words

_STYLE = {Severity.OK: "green", Severity.NOTE: "yellow", Severity.ERROR: "bold red"}


def proof_lines(proof: Proof) -> tuple[Text, ...]:
    """Return the findings in the order of the boot, how long its parts took, and the verdict."""
    lines = [
        Text(f"  {each.severity:<6} {each.link:<10} {each.message}", style=_STYLE[each.severity])
        for each in proof.findings
    ]
    lines.append(Text(f"  {times_words(proof.times)}"))
    with_ = f"with {proof.firmware.upper()}"
    if proof.passed:
        said = f"mirror '{proof.mirror}' boots {with_}: {proof.times.total:.0f} s"
        return (*lines, Text(said, style="bold green"))
    said = f"mirror '{proof.mirror}' does NOT boot as it should {with_}: {proof.cause}"
    return (*lines, Text(said, style="bold red"))

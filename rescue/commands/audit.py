"""`rescue audit`: checks the mirror's boot chain by its files, without booting it."""

from rescue.discover.machine import discover
from rescue.errors import ExitCode
from rescue.mirrors.impostors import passing_over
from rescue.mirrors.select import choose, known_records
from rescue.model.finding import Severity
from rescue.plan.checks.recognise import attached_mirror
from rescue.run.execute import look
from rescue.store import config
from rescue.system.process.lock import only_one_run
from rescue.ui.findings import finding_lines
from rescue.ui.screen import Screen


def audit(name: str, screen: Screen) -> ExitCode:
    """Print every link of the chain. Returns DONE, or AUDIT_FAILED where one is broken."""
    with only_one_run():
        settings = config.load()
        machine = passing_over(discover(), known_records(settings), screen)
        record = choose(machine, settings, name=name)
        findings = look(machine, record, attached_mirror(machine, record))
    for line in finding_lines(findings):
        screen.show(line)
    broken = any(finding.severity is Severity.ERROR for finding in findings)
    return ExitCode.AUDIT_FAILED if broken else ExitCode.DONE

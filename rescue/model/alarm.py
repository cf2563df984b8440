"""When and how a machine raises an alarm: the section [alarm] of the configuration."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AlarmSettings:
    """What people and monitoring are told, and when.

    A mirror older than `run.overdue_hours` is a warning; one older than `critical_hours` is
    critical. `history_runs` is how many runs of each mirror the history keeps. `metrics` is the
    folder of node_exporter's textfile collector ("/var/lib/prometheus/node-exporter" on Debian),
    where rescue.prom is written after each run and every hour; "" writes none. `apprise` are the
    URLs of services that failures are told to, beside the mail (["ntfys://example.org/servers"]);
    they hold passwords, and the file is root's alone.
    """

    critical_hours: float = 96.0
    history_runs: int = 400
    metrics: str = ""
    apprise: tuple[str, ...] = ()

"""The settings of alarms: the section [alarm] of the configuration."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rescue.model.fault import SECRET, Fault, unmet

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[!-~]+")


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
    apprise: tuple[str, ...] = field(default=(), metadata=SECRET)

    def faults(self) -> Iterator[Fault]:
        """Return what cannot be meant."""
        return unmet(
            self,
            ("critical_hours", self.critical_hours > 0, "above 0"),
            ("history_runs", self.history_runs > 0, "above 0"),
            ("metrics", _is_plain_path(self.metrics), "a path from / in letters, or empty"),
            ("apprise", all(map(is_url, self.apprise)), "URLs of services"),
        )


def is_url(text: str) -> bool:
    """Whether a text can name a service: a scheme, and nothing that would end a line."""
    return _URL.fullmatch(text) is not None


def _is_plain_path(text: str) -> bool:
    return not text or (text.startswith("/") and text.isprintable())

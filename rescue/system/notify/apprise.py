"""The door to Apprise (github.com/caronc/apprise): one message to any of a hundred services.

A service is named by a URL that holds its password, so that it never stands in an argument list,
which everybody may read: it is handed over in a file for root alone, gone afterwards. What the tool
prints may show parts of it, and is not repeated.
"""

import sys
import tempfile
from pathlib import Path

from rescue import paths
from rescue.errors import RescueError
from rescue.system.process.run import CommandError, run, which

INSTALL = "apt install apprise, or pip install 'rescue[apprise]'"

# An alarm that waits for a service that does not answer keeps the others waiting.
_LONGEST = 90.0


def service(url: str) -> str:
    """Return the part of a URL that may be shown: only its scheme."""
    return url.partition("://")[0]


def program() -> str | None:
    """Return the command: that of rescue's own environment, otherwise the system's."""
    own = Path(sys.executable).parent / "apprise"
    return str(own) if own.is_file() else which("apprise")


def argv(command: str, *, config: Path, title: str) -> list[str]:
    """Return the command that sends what it reads on standard input."""
    return [
        command,
        f"--config={config}",
        f"--title={title}",
        "--notification-type=failure",
        "--input-format=text",
    ]


def tell(url: str, *, title: str, text: str, place: Path | None = None) -> None:
    """Send a message to one service; below `place` (RUNTIME) the file lies meanwhile.

    Raises RescueError that names the service by its scheme, and no secret.
    """
    command = program()
    if command is None:
        raise RescueError(f"{service(url)}: apprise is not installed", hint=INSTALL)
    private = place or paths.RUNTIME
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=private) as folder:
        config = Path(folder) / "services"
        config.touch(mode=0o600)
        config.write_text(f"{url}\n", encoding="ascii")
        try:
            # What it keeps between two messages goes with the folder: it may hold tokens.
            run(
                argv(command, config=config, title=title),
                stdin=text,
                timeout=_LONGEST,
                extra_env={"HOME": folder},
            )
        except CommandError as error:
            raise RescueError(
                f"{service(url)}: apprise could not deliver (exit code {error.result.returncode})",
                hint="try the URL of 'alarm.apprise' with 'apprise --verbose --config=FILE'",
            ) from None

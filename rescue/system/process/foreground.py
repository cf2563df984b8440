"""Programs that have the person's terminal to themselves."""

import signal
import subprocess
from collections.abc import Sequence

from rescue.system.process.run import CommandError, ended


def on_terminal(argv: Sequence[str]) -> int:
    """Run a program on the person's own terminal, and return its exit code.

    It has the terminal to itself, including Ctrl-C. It gets the caller's environment, for it is
    what the person would have started. If this process is ended meanwhile, the program is told
    to end, and waited for. Raises CommandError (127) where it is missing.
    """
    # A handler that does nothing, not SIG_IGN: that one the child would inherit.
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        with subprocess.Popen(list(argv)) as child:
            try:
                return child.wait()
            except BaseException:
                child.terminate()
                child.wait()
                raise
    except FileNotFoundError as error:
        raise CommandError(ended(argv, 127, "", f"{argv[0]}: program not found")) from error
    finally:
        signal.signal(signal.SIGINT, before)

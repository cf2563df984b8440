"""`rescue mirror NAME --plugged`: a run that a disk started, and the word that it can be pulled."""

import contextlib
import os

from rescue import config
from rescue.commands.mirror import MirrorOptions, mirror
from rescue.errors import ExitCode, RescueError, SkippedError, in_words
from rescue.model.schedule import ScheduleSettings
from rescue.plan.alarm import pull_mail, pull_text
from rescue.system import journal, notify
from rescue.system.run import CommandError
from rescue.ui.screen import Screen


def mirror_plugged(options: MirrorOptions, screen: Screen) -> ExitCode:
    """Do the run, and tell people when the disk can be pulled, however the run ended.

    Raises what `mirror` raises, after that: the unit's own alarm tells why it failed.
    """
    try:
        code = mirror(options, screen)
    except SkippedError:
        raise
    except BaseException as error:
        said = in_words(error)
        _tell(pull_text(options.name, failed=said), screen)
        raise
    _tell(pull_text(options.name), screen)
    return code


def _tell(text: str, screen: Screen) -> None:
    """Say it in the journal, on every terminal, and by mail where a mail system is installed.

    A channel that does not work is no failure of the run.
    """
    screen.show(text)
    journal.report_success(text)
    with contextlib.suppress(CommandError):
        notify.wall(text)
    if notify.can_mail():
        with contextlib.suppress(CommandError):
            notify.mail(pull_mail(os.uname().nodename, text, to=_settings().notify))


def _settings() -> ScheduleSettings:
    try:
        return config.load().schedule
    except (RescueError, OSError):
        return ScheduleSettings()

"""`rescue mirror NAME --plugged`: a run started by plugging in the disk."""

import contextlib
import os

from rescue.commands.mirror import MirrorOptions, mirror
from rescue.errors import ExitCode, RescueError, SkippedError, in_words
from rescue.model.run.schedule import ScheduleSettings
from rescue.status.alarm import hotplug_mail, hotplug_news
from rescue.store import config
from rescue.system.notify import journal, people
from rescue.system.process.run import CommandError
from rescue.ui.screen import Screen


def mirror_hotplugged(options: MirrorOptions, screen: Screen) -> ExitCode:
    """Do the run, and announce how it ended: only after success may the disk be unplugged.

    Afterwards raises what `mirror` raised: the unit's own alarm reports why it failed.
    """
    try:
        code = mirror(options, screen)
    except SkippedError:
        raise
    except BaseException as error:
        code = error.code if isinstance(error, RescueError) else ExitCode.FAILED
        _tell(options.name, code, screen, said=in_words(error))
        raise
    _tell(options.name, code, screen)
    return code


def _tell(name: str, code: ExitCode, screen: Screen, *, said: str = "") -> None:
    """Say it in the journal, on every terminal, and by mail where a mail system is installed.

    A channel that does not work is no failure of the run.
    """
    news = hotplug_news(name, code, said=said)
    screen.show(news.text)
    if code in (ExitCode.DONE, ExitCode.DEGRADED):
        journal.report_success(news.text, code=code, mirror=name)
    else:
        journal.report_alarm(news.text, mirror=name)
    with contextlib.suppress(CommandError):
        people.wall(news.public)
    if people.can_mail():
        with contextlib.suppress(CommandError):
            people.mail(hotplug_mail(os.uname().nodename, news, to=_settings().notify))


def _settings() -> ScheduleSettings:
    try:
        return config.load().schedule
    except (RescueError, OSError):
        return ScheduleSettings()

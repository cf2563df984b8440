"""The wizard's flow: what is offered on which machine, and what comes next."""

from rescue.model.medium import MEDIUM_TABLE
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.run.schedule import ChecksumDay, Installed
from rescue.model.storage.machine import Machine
from rescue.model.wizard import Command, Here, Offer, Page, Task
from rescue.wizard.candidates import command_for

_LEAVE = Offer(task=Task.LEAVE, title="Leave")


def page(here: Here) -> Page:
    """Return a machine's menu: the way to a nightly mirror, or the way back.

    The first thing not yet done is suggested; when all is done, leaving is.
    """
    running = here.machine.running_mirror
    return _normal(here) if running is None else _rescue_mode(here, running)


def command_of(task: Task, machine: Machine) -> Command:
    """Return the command of a task that needs no question.

    Raises ValueError for one that needs to know a disk or a time.
    """
    running, last = machine.running_mirror, machine.handed_over
    match task:
        case Task.MIRROR:
            return _same("mirror")
        case Task.PROVE:
            return _same("prove")
        case Task.STATUS:
            return _same("status")
        case Task.HOMES if running is not None:
            dead = running.source.id.name or "SERIAL"
            return Command(
                attended=("restore",), scripted=("restore", "--yes", "--expect-serial", dead)
            )
        case Task.AGAIN if last is not None:
            disk = last.record.mirror.id
            return command_for(Task.FAILBACK, disk.name, erase=False)
        case _:
            raise ValueError(f"'{task}' is not a command yet")


def schedule_command(at: str, day: ChecksumDay) -> Command:
    """Return the command for a schedule with a time of day and a checksum day."""
    never = day is ChecksumDay.NEVER
    compared = ("--no-checksum",) if never else ("--checksum-day", day.value)
    return _same("schedule", "install", "--at", at, *compared)


def _same(*words: str) -> Command:
    return Command(attended=words, scripted=words)


def _normal(here: Here) -> Page:
    offers = [_prepare(here)]
    if here.records:
        offers += [_mirror(here), _schedule(here), _medium(here)]
    if here.records and "prove" in here.verbs:
        offers.append(_prove(here))
    lead = next((each.task for each in offers if not each.done), Task.LEAVE)
    status = Offer(task=Task.STATUS, title="Show the status", command="rescue status", done=True)
    return Page(head=_head(here), offers=(*offers, status, _LEAVE), suggested=lead)


def _head(here: Here) -> tuple[str, ...]:
    machine = here.machine
    root = machine.root_disk
    if root is None:
        return (
            f"{machine.host} does not run from a plain partition: it is a live system, or",
            "it uses layers (LUKS, LVM, RAID) that cannot be mirrored yet.",
        )
    where = f"{root.path} ({root.id.name or 'no serial'})"
    if not here.records:
        return (
            f"{machine.host} runs from {where} and has no mirror: if the disk dies, everything is "
            "lost.",
            "A mirror is a second disk that boots, with the system as it was last night.",
        )
    return (f"{machine.host} runs from {where}.", *(_stands(each) for each in here.records))


def _stands(record: MirrorRecord) -> str:
    name = f"Its mirror '{record.name}'"
    match record.state:
        case MirrorState.COMPLETE:
            return f"{name} is complete (generation {record.generation})."
        case MirrorState.RUNNING:
            return f"{name} is being written, or a run was interrupted."
        case MirrorState.FAILED:
            return f"{name} is not complete: {record.last_error or 'its last run failed'}"
        case _:
            return f"{name} was never complete."


def _prepare(here: Here) -> Offer:
    return Offer(
        task=Task.PREPARE,
        title="Make another disk a mirror" if here.records else "Make a disk a mirror that boots",
        why="what is on it is lost",
        command="rescue prepare DISK",
        done=bool(here.records),
    )


def _mirror(here: Here) -> Offer:
    return Offer(
        task=Task.MIRROR,
        title="Mirror now",
        why="bring it up to date with this system",
        command="rescue mirror",
        done=any(each.state is MirrorState.COMPLETE for each in here.records),
    )


def _schedule(here: Here) -> Offer:
    why = {
        Installed.NO: "nothing is scheduled yet",
        Installed.YES: f"scheduled for {here.settings.at}",
        Installed.OUTDATED: "installed, but not as configured",
    }
    return Offer(
        task=Task.SCHEDULE,
        title="Mirror every night",
        why=why[here.schedule],
        command="rescue schedule install",
        done=here.schedule is Installed.YES,
    )


def _medium(here: Here) -> Offer:
    attached = any(
        disk.table is not None and disk.table.uuid == MEDIUM_TABLE for disk in here.machine.disks
    )
    return Offer(
        task=Task.MEDIUM,
        title="Make a USB stick the rescue medium",
        why="one is attached" if attached else "it always starts the mirror",
        command="rescue media write DISK",
        done=attached or Task.MEDIUM in here.did,
    )


def _prove(here: Here) -> Offer:
    return Offer(
        task=Task.PROVE,
        title="Prove that the mirror boots",
        why="in a virtual machine",
        command="rescue prove",
        done=Task.PROVE in here.did,
    )


def _rescue_mode(here: Here, running: MirrorRecord) -> Page:
    """Return the menu of a machine that runs from its mirror, with the way home."""
    machine = here.machine
    head = [f"{machine.host} runs from its MIRROR '{running.name}'. Nothing is mirrored now."]
    offers: list[Offer] = []
    if running.state is not MirrorState.COMPLETE:
        other = running.source.id.name or "the other disk"
        head.append(f"This disk was being written and is not complete: start from {other} instead.")
        suggested = Task.STATUS
    else:
        offers = [_homes(here), _failback(machine)]
        suggested = Task.FAILBACK if Task.HOMES in here.did else Task.HOMES
        if machine.handed_over is not None:
            disk = machine.handed_over.record.mirror.id.name
            head.append(f"{disk} is its first disk again; what is written now is not on it.")
            suggested = Task.STATUS if Task.AGAIN in here.did else Task.AGAIN
    status = Offer(
        task=Task.STATUS,
        title="Show the status, and what to do next",
        command="rescue status",
    )
    return Page(head=tuple(head), offers=(*offers, status, _LEAVE), suggested=suggested)


def _homes(here: Here) -> Offer:
    return Offer(
        task=Task.HOMES,
        title="Bring the users' files back from the dead disk",
        why="shows them first",
        command="rescue restore",
        done=Task.HOMES in here.did,
    )


def _failback(machine: Machine) -> Offer:
    last = machine.handed_over
    if last is None:
        return Offer(
            task=Task.FAILBACK,
            title="Make a new disk the first one",
            why="this machine keeps running meanwhile",
            command="rescue failback DISK",
        )
    disk = last.record.mirror.id.name
    return Offer(
        task=Task.AGAIN,
        title=f"Bring the new first disk {disk} up to date",
        why="stop what writes first",
        command=f"rescue failback {disk}",
    )

"""`make demo`: the whole story in disposable virtual machines, with a running commentary.

No real disk is touched: every disk here is a file in a temporary folder.
"""

import logging
import os
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rescue.errors import RescueError
from rescue.medium.build import Contents, build_image
from tests.lab.accel import STOCK, VARIABLE, accelerator, is_kvm, kvm_is_given_up
from tests.lab.disk import Disk
from tests.lab.guest import Guest, GuestError
from tests.lab.hardware import BIOS, Hardware, missing_programs
from tests.lab.lab import Lab
from tests.lab.layout import MIB
from tests.lab.medium import STICK, as_stick
from tests.lab.stock import MIRROR, Stock

CHECKOUT = Path(__file__).parents[1]
MAIL = "/home/anna/Maildir/new"
LOGIN_LINES = 3
HARDWARE = Hardware(processors=2)
"""One guest runs at a time, and may have both processors of a small machine."""


class Story:
    """The commentary, and the time that each step took."""

    def __init__(self) -> None:
        """Nothing is told yet."""
        self.console = Console(highlight=False)
        self._times: list[tuple[str, float]] = []

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Tell what is done now, and note how long it took."""
        self.console.print(f"\n[bold green]>>> {title}[/]")
        begun = time.monotonic()
        # On a terminal, so that a minute without a word is not taken for a hang.
        with self.console.status("working"):
            yield
        self.took(title, time.monotonic() - begun)

    def expectation(self) -> None:
        """Say how long it will take here."""
        if is_kvm(accelerator()):
            said = "KVM works here: the story takes some minutes, more when the server is built."
        else:
            said = (
                "KVM does not work here, so that the machines are emulated, several times slower "
                "than real ones: the story takes about 15 minutes on two idle cores. The first "
                "five of them build the server, which is kept for the next time."
            )
        self.console.print(said, soft_wrap=True)

    def progress(self) -> logging.Handler:
        """Return what shows how far the lab is, with the seconds since now."""
        return _Progress(self.console)

    def took(self, what: str, seconds: float) -> None:
        """Note how long something took."""
        self._times.append((what, seconds))

    def command(self, guest: Guest, line: str) -> None:
        """Run a command in the guest and show it with what it prints."""
        self.console.print(f"[bold]root@server:~# {line}[/]", soft_wrap=True)
        done = guest.run(f"COLUMNS=150 {line}", check=False, timeout=1800)
        self.console.print((done.stdout + done.stderr).rstrip(), markup=False, soft_wrap=True)
        if done.returncode:
            self.console.print(f"(exit code {done.returncode})", style="yellow")

    def prompt(self, guest: Guest) -> None:
        """Show the end of the guest's console: its login prompt."""
        lines = [line for line in guest.console_text.splitlines() if line.strip()]
        self.console.print("\n".join(lines[-LOGIN_LINES:]), style="bold yellow", markup=False)

    def summary(self) -> None:
        """Show the times."""
        grid = Table(title="How long each step took", title_justify="left")
        grid.add_column("step")
        grid.add_column("seconds", justify="right")
        for title, seconds in self._times:
            grid.add_row(title, f"{seconds:.0f}")
        self.console.print(grid)
        if not is_kvm(accelerator()):
            self.console.print("The guests were emulated, several times slower than real ones.")


class _Progress(logging.Handler):
    """Shows what the lab says of its work."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._begun = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Show one line."""
        seconds = time.monotonic() - self._begun
        self._console.print(f"    {seconds:4.0f} s  {record.getMessage()}", style="dim")


def main() -> None:
    """Play the story; end with a sentence that says what to do where it cannot go on."""
    story = Story()
    if missing := missing_programs():
        raise SystemExit(f"not installed: {', '.join(missing)}; run 'make packages' first")
    try:
        with tempfile.TemporaryDirectory(prefix="rescue-demo-") as name:
            folder = Path(name)
            (folder / "stock").mkdir()
            (folder / "disks").mkdir()
            os.environ[STOCK] = str(folder / "stock")
            _tell_of_the_lab(story)
            story.expectation()
            _play(folder, story)
    except GuestError as error:
        story.console.print(error, markup=False, soft_wrap=True)
        raise SystemExit(f"The story ended early: {_what_to_do()}") from None
    except (OSError, RescueError, subprocess.SubprocessError) as error:
        hint = error.hint if isinstance(error, RescueError) else ""
        advice = hint or "mend this, and run 'make demo' again"
        raise SystemExit(f"The story ended early: {error}\n{advice}") from None
    except KeyboardInterrupt:
        raise SystemExit("The story was ended; nothing of it is left.") from None
    story.summary()


def _tell_of_the_lab(story: Story) -> None:
    """Show what the lab does, and what it warns of, between the lines of the story."""
    log = logging.getLogger("tests.lab")
    log.setLevel(logging.INFO)
    log.addHandler(story.progress())
    logging.captureWarnings(capture=True)
    logging.getLogger("py.warnings").addHandler(story.progress())
    warnings.formatwarning = lambda message, *_rest: str(message)


def _what_to_do() -> str:
    """Return the next step after a guest that did not come up, or did not answer any more."""
    if is_kvm(accelerator()):
        return f"try it without KVM: '{VARIABLE}=tcg make demo'"
    if kvm_is_given_up():
        return "KVM lost a guest, and in emulation none came up: see the console above"
    return "see the console above; on a busy machine wait until it is idle, and try again"


def _play(folder: Path, story: Story) -> None:
    stock = Stock(checkout=CHECKOUT, directory=folder / "stock", hardware=HARDWARE)
    lab = Lab(stock, folder / "disks")
    source, mirror, stick = _peace(lab, story)
    new = _night(lab, story, source, mirror, stick)
    _home(lab, story, new, mirror)


def _peace(lab: Lab, story: Story) -> tuple[Disk, Disk, Disk]:
    """Prepare the mirror, live a day, mirror, write the stick; then the power fails."""
    with story.step("A Debian server is built and started"):
        server = lab.server("gpt", firmware=BIOS)
        server.start()
    try:
        with story.step("A bare second disk is plugged in"):
            mirror = server.attach_blank_disk(MIRROR)
            story.command(server, "rescue disks")
        with story.step("What would be done: the plan, and nothing else"):
            story.command(server, "rescue prepare /dev/vdb --dry-run")
        with story.step("Prepare: table, file systems, first copy, boot loaders, audit"):
            story.command(server, f"rescue prepare /dev/vdb --yes --expect-serial {MIRROR}")
        with story.step("A day goes by: mail arrives, mail is deleted"):
            story.command(server, f"sh -c 'echo mail of the day > {MAIL}/day'")
            story.command(server, "find /home/bela/Maildir -type f -name '*[05]' -delete")
        with story.step("Night: the mirror is made equal again"):
            story.command(server, "rescue mirror")
        with story.step("Would it boot? The audit follows the boot chain in files"):
            story.command(server, "rescue audit")
        with story.step("A USB stick for the night it is needed"):
            image = lab.directory / "medium.img"
            build_image(image, Contents())
            server.put(image, "/var/tmp/medium.img")
            stick = server.attach_blank_disk(STICK, size=64 * MIB)
            # The lab's small kernel drives no USB: in here the stick looks like a fixed disk.
            consent = f"--yes --expect-serial {STICK} --accept-fixed {STICK}"
            story.command(
                server, f"rescue media write {STICK} --image /var/tmp/medium.img {consent}"
            )
        with story.step("More mail arrives. Then the power fails, and the first disk dies"):
            story.command(server, f"sh -c 'echo mail of the last hour > {MAIL}/last-hour && sync'")
            server.cut_power()
    finally:
        server.cut_power()
    source = server.disk("SOURCE01")
    source.zero(0, MIB)
    story.console.print("its boot sector and its partition table are zeros now")
    return source, mirror, as_stick(stick)


def _night(lab: Lab, story: Story, source: Disk, mirror: Disk, stick: Disk) -> Disk:
    """Start the mirror from the stick, bring the homes back, make a new first disk."""
    begun = time.monotonic()
    with lab.machine([stick, source, mirror], hardware=HARDWARE) as machine:
        with story.step("The machine is switched on, with the stick and the dead disk in it"):
            story.took("   power-on to the login prompt", machine.wait_for_login())
            story.prompt(machine)
            machine.wait_for_ssh()
        with story.step("It is back as of last night, and knows where it runs from"):
            story.command(machine, "systemctl is-system-running --wait")
            story.command(machine, "findmnt --real --output TARGET,SOURCE,FSTYPE,UUID")
            story.command(machine, "rescue status")
            story.command(machine, "rescue mirror")
        with story.step("The service runs already: new mail arrives. The homes come back"):
            story.command(machine, f"sh -c 'echo mail since > {MAIL}/since'")
            story.command(machine, "rescue restore --yes --expect-serial SOURCE01")
            story.took("   power-on to the homes back", time.monotonic() - begun)
            story.command(machine, f"head {MAIL}/day {MAIL}/last-hour {MAIL}/since")
        with story.step("A new disk becomes the first one, while the machine goes on serving"):
            new = machine.attach_blank_disk("NEW01", size=source.size)
            story.command(machine, "rescue failback NEW01 --yes --expect-serial NEW01")
        with story.step("The services are stopped; what changed meanwhile is brought over"):
            story.command(machine, "rescue failback NEW01 --yes --expect-serial NEW01")
            machine.poweroff()
    return new


def _home(lab: Lab, story: Story, new: Disk, mirror: Disk) -> None:
    """Start from the new disk alone, and mirror in the right direction again."""
    with lab.machine([new], hardware=HARDWARE) as machine:
        with story.step("Home again: the machine starts from the new disk alone"):
            machine.wait_for_login()
            story.prompt(machine)
            machine.wait_for_ssh()
            story.command(machine, f"head {MAIL}/day {MAIL}/last-hour {MAIL}/since")
        with story.step("The old mirror is attached: tonight's run goes the right way"):
            machine.attach(mirror)
            story.command(machine, "rescue mirror")
            story.command(machine, "rescue status")
        machine.poweroff()
    with (
        story.step("And the mirror still boots alone"),
        lab.machine([mirror], hardware=HARDWARE) as machine,
    ):
        machine.wait_for_login()
        story.prompt(machine)


if __name__ == "__main__":
    main()

"""`make demo`: the whole story in disposable virtual machines, with a running commentary.

No real disk is touched: every disk here is a file in a temporary folder.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.lab.accel import accelerator
from tests.lab.disk import Disk
from tests.lab.guest import Guest
from tests.lab.hardware import BIOS, missing_programs
from tests.lab.lab import Lab
from tests.lab.stock import Stock

CHECKOUT = Path(__file__).parents[1]
LOGIN_LINES = 3


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
        yield
        self._times.append((title, time.monotonic() - begun))

    def command(self, guest: Guest, line: str) -> None:
        """Run a command in the guest and show it with what it prints."""
        self.console.print(f"[bold]root@server:~# {line}[/]")
        self.console.print(guest.run(f"COLUMNS=150 {line}").stdout, markup=False)

    def summary(self) -> None:
        """Show the times."""
        grid = Table(title="How long each step took", title_justify="left")
        grid.add_column("step")
        grid.add_column("seconds", justify="right")
        for title, seconds in self._times:
            grid.add_row(title, f"{seconds:.0f}")
        self.console.print(grid)
        if "kvm" not in accelerator():
            self.console.print(
                "KVM does not work here: the guests were emulated, some ten times slower than real."
            )


def main() -> None:
    """Play the story."""
    story = Story()
    if missing := missing_programs():
        raise SystemExit(f"not installed: {', '.join(missing)}; run 'make packages' first")
    with tempfile.TemporaryDirectory(prefix="rescue-demo-") as name:
        folder = Path(name)
        lab = Lab(Stock(checkout=CHECKOUT, directory=folder / "stock"), folder / "disks")
        _play(lab, story)
    story.summary()


def _play(lab: Lab, story: Story) -> None:
    with story.step("A Debian server is built and started (minutes the first time, then kept)"):
        server = lab.server("gpt", firmware=BIOS)
        server.start()
    try:
        mirror = _mirror_is_made(server, story)
    finally:
        server.cut_power()
    with (
        story.step("The first disk is dead. The machine is switched on with the mirror alone"),
        lab.machine([mirror], firmware=BIOS) as machine,
    ):
        machine.wait_for_login()
        prompt = [line for line in machine.console_text.splitlines() if line.strip()]
        story.console.print("\n".join(prompt[-LOGIN_LINES:]), style="bold yellow", markup=False)
    with (
        story.step("It is back, in the state of the last run, and it knows where it runs from"),
        lab.machine([mirror], firmware=BIOS) as machine,
    ):
        machine.wait_for_ssh()
        story.command(machine, "systemctl is-system-running --wait")
        story.command(machine, "findmnt --real --output TARGET,SOURCE,FSTYPE,UUID")
        story.command(machine, "cat /home/anna/Maildir/new/today")
        story.command(machine, "rescue mirror; echo exit code $?")


def _mirror_is_made(server: Guest, story: Story) -> Disk:
    with story.step("A bare second disk is plugged in"):
        mirror = server.attach_blank_disk("MIRROR01")
        story.command(server, "rescue disks")
    with story.step("What would be done: the plan, and nothing else"):
        story.command(server, "rescue prepare /dev/vdb --dry-run")
    with story.step("Prepare: table, file systems, first copy, boot loaders, audit"):
        story.command(server, "rescue prepare /dev/vdb --yes --expect-serial MIRROR01")
    with story.step("A day goes by: mail arrives, mail is deleted"):
        story.command(server, "echo 'mail of today' > /home/anna/Maildir/new/today")
        story.command(server, "find /home/bela/Maildir -type f | head -n 20 | xargs rm")
    with story.step("Night: the mirror is made equal again"):
        story.command(server, "rescue mirror")
    with story.step("Would it boot? The audit follows the boot chain in files"):
        story.command(server, "rescue audit")
    return mirror


if __name__ == "__main__":
    main()

"""`python -m scripts.bench`: all measurements, or the nights alone, which need no guest."""

import argparse

from rich.console import Console

from scripts.bench import guests, nights


def main() -> None:
    """Measure what was asked for, and print a table of each kind."""
    asked = argparse.ArgumentParser(prog="scripts.bench", description=__doc__)
    asked.add_argument("what", nargs="?", choices=("all", "nights", "guests"), default="all")
    asked.add_argument(
        "--inodes",
        type=int,
        default=400_000,
        help="of the tree that nights are measured on (default: 400,000)",
    )
    options = asked.parse_args()
    if options.what in ("all", "nights"):
        Console().print(nights.table(options.inodes))
    if options.what in ("all", "guests"):
        Console().print(guests.table())


if __name__ == "__main__":
    main()

"""Every path that is ours: the folders and files that rescue makes, and the names it gives them.

What lies there and how it is written is told by the module that writes it. Paths of others (/proc,
/var/tmp, GRUB's, dpkg's) are named where they are used. Only the mirror's own folder is relative:
it lies on the root of whatever file system is meant.
"""

from pathlib import Path

CONFIG = Path("/etc/rescue/rescue.toml")
"""The configuration: written by `prepare`, edited by people, read by everything else."""

# --- what the source remembers ---------------------------------------------------------------

STATE = Path("/var/lib/rescue")
"""What is kept between runs, readable by root alone; copied to a mirror like any other folder."""

RECORDS = STATE / "mirrors"
"""NAME.json for each mirror: what was done to it."""

HISTORY = STATE / "history"
"""NAME.jsonl for each mirror: one line for each run."""

PROOFS = STATE / "proofs"
"""A folder for each mirror: its last proofs, with the console and the screen of each."""

DRILLS = STATE / "drills"
"""A folder for each rehearsal, the newest ones only."""

DIGESTS = STATE / "digests.sqlite"
"""What every file's content was when it was last compared."""

SCRATCH = STATE / "scratch"
"""Where writes to the overlay of a dead disk go, while it is read."""

# --- while something runs: gone with the machine's next start ----------------------------------

RUNTIME = Path("/run/rescue")
"""For locks, notes and mount points; readable by root alone."""

LOCK = RUNTIME / "lock"
"""Held by the one run that may write to a mirror."""

UNSAVED = RUNTIME / "mirrors"
"""NAME.json for each mirror whose record could not be written to the source: full, or read-only."""

ASKED = RUNTIME / "asked"
"""NAME for each mirror that was asked, since this start, whether it is as complete as recorded."""

TOLD = RUNTIME / "told"
"""A file for each unit, as old as the last message about it."""

WORK = RUNTIME / "work"
"""The workspace of a run: the file systems of source and mirror, mounted for this process alone."""

LOOK = RUNTIME / "look"
"""Where a partition is mounted to see whether it carries a marker."""

DEAD = RUNTIME / "dead"
"""Where the file systems of a dead disk are mounted, to be read."""

HERE = RUNTIME / "here"
"""The running system's file systems, as a restore sees them: nothing of users' mounted on them."""

PROOF = RUNTIME / "prove"
"""The room of a proof: its channels, its firmware's memory, the files that it lays in."""

DRILL = RUNTIME / "drill"
"""The room of a rehearsal."""

MEDIUM = RUNTIME / "medium"
"""Where the medium that a rehearsal starts from is built."""

# --- on a mirror's root ------------------------------------------------------------------------

OWN_FOLDER = ".rescue"
"""On a mirror's root, relative to it: identity, record, history, pages; never copied from or to a
source."""

MARKER = f"{OWN_FOLDER}/mirror.json"
"""The record of the mirror on itself, relative to its root: a disk with it is a mirror of ours."""

PROOF_FOLDER = f"{OWN_FOLDER}/proof"
"""What a proof lays into the overlay of a mirror, relative to its root."""

DRILL_FOLDER = "etc/rescue-drill"
"""What a rehearsal lays into its overlays, relative to their roots."""

GUEST_SETTINGS = "etc/systemd/system.conf.d/rescue-guest.conf"
"""systemd's settings in a guest, laid into an overlay, relative to its root."""

ON_MEDIUM = "rescue"
"""What the rescue medium knows of its mirrors, relative to its root."""

# --- beside the files of others ----------------------------------------------------------------

TEMPORARY_SUFFIX = ".rescue-new"
"""Ends the name of a file while it is written beside the one that it takes the place of."""

PARTIAL_PREFIX = ".rescue~"
"""Begins the name of the folders in which the new content of a run waits for its end."""

REPLACED_FOLDER = ".rescue-replaced"
"""On the root of a file system: what a restore put aside, one folder for each restore. If another
program has put something of that name there, '~' and a random suffix follow it."""

OLD_REPLACED_FOLDER = ".rescue-losers"
"""The former name of that folder: an earlier restore may have left one."""

RESTORE_FOLDER = ".rescue-restore"
"""Begins the name of a folder on the root of a file system while files come back to it: new content
before it is renamed. A new random suffix follows for each restore."""

LIVE_PREFIX = ".rescue-live-"
MEDIUM_PREFIX = ".rescue-medium-"
"""Begin the names of folders in which a medium is built, beside the image that it becomes."""

# --- where other programs look -----------------------------------------------------------------

UNIT_FOLDER = "/etc/systemd/system"
"""Where an administrator's units lie (man 5 systemd.unit); ours are named there."""

CRON_JOB = "/etc/cron.daily/rescue"
"""The daily run on a machine without systemd."""

# After 60-persistent-storage.rules, which reads the partition's id; before 99-systemd.rules.
PLUGGED_RULES = "/etc/udev/rules.d/90-rescue-plugged.rules"
"""What starts a run when a mirror's disk is plugged in (man 7 udev)."""

MOTD = "run/motd.d/rescue"
ISSUE = "run/issue.d/rescue.issue"
"""What a machine that runs from its mirror says before and after each login, relative to its root
(man 8 pam_motd, man 8 agetty)."""

DUMPS = "/var/backups/rescue"
"""Where a ready hook lays the dump of a data base, unless the configuration names another."""

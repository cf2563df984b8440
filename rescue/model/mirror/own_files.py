"""Files that only a mirror has, by their paths on the whole tree."""

from rescue import paths

RESUME = "/etc/initramfs-tools/conf.d/resume"
"""The resume device of the mirror's own initramfs (man 5 initramfs.conf)."""

BOOTED_UNIT = "rescue-booted.service"
"""The unit that notes that the mirror was started."""

BOOTED = f"{paths.UNIT_FOLDER}/{BOOTED_UNIT}"
BOOTED_WANTED = f"{paths.UNIT_FOLDER}/multi-user.target.wants/{BOOTED_UNIT}"

OWN_PATHS = (RESUME, BOOTED, BOOTED_WANTED)
"""Never sent and never deleted by a sync."""

"""Frozen data, standard library only: what a machine, a disk, a plan and a record are."""

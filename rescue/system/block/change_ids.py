"""Commands that change the identifiers of file systems, swap areas and tables; nothing runs here.

Each is quick however large the file system is: ext4 keeps the seed of its checksums in the
superblock ('metadata_csum_seed'), XFS the UUID in its metadata beside the one that it shows
('meta_uuid'), and btrfs likewise ('metadata_uuid'). All of them work on a regular file, so that
no block device ever shows the identifiers of the running system a second time: udev would take
its links, and btrfs its mounts, to the wrong one.
"""

from pathlib import Path


def filesystem_argvs(
    kind: str, uuid: str, file: Path, *, features: tuple[str, ...] = ()
) -> tuple[list[str], ...]:
    """Return the commands that give the contents of a file this UUID, spelled as libblkid does.

    `kind` is libblkid's word; an unknown kind needs no command.
    """
    match kind:
        case "ext2" | "ext3" | "ext4":
            # Without the seed every checksum would be rewritten: minutes on a large disk.
            seedless = "metadata_csum" in features and "metadata_csum_seed" not in features
            seed = (["tune2fs", "-O", "metadata_csum_seed", str(file)],) if seedless else ()
            return *seed, ["tune2fs", "-U", uuid, str(file)]
        case "xfs":
            return (["xfs_admin", "-f", "-U", uuid, str(file)],)
        case "btrfs":
            return (["btrfstune", "-f", "-M", uuid, str(file)],)
        case "vfat":
            return (["fatlabel", "-i", str(file), uuid.replace("-", "")],)
        case "swap":
            return (["swaplabel", "--uuid", uuid, str(file)],)
        case _:
            return ()


def table_argvs(
    file: Path, *, table_uuid: str, partuuids: tuple[tuple[int, str], ...], is_gpt: bool
) -> tuple[list[str], ...]:
    """Return the commands that give a partition table in a file its ids (man 8 sfdisk)."""
    disk_id = table_uuid if is_gpt else f"0x{table_uuid}"
    return (
        ["sfdisk", "--disk-id", str(file), disk_id],
        *(["sfdisk", "--part-uuid", str(file), str(number), each] for number, each in partuuids),
    )

"""Files that exist only on a mirror: the resume setting and the note that it was booted."""

from pathlib import PurePosixPath

from rescue import paths
from rescue.apply.step_context import TreeWork
from rescue.model.mirror.own_files import BOOTED, BOOTED_UNIT, BOOTED_WANTED, OWN_PATHS, RESUME
from rescue.model.mirror.role import Role
from rescue.system.files.atomic import write_atomic
from rescue.template import template


def write_own_files(work: TreeWork, *, resume_uuid: str, role: Role = Role.MIRROR) -> None:
    """Write them where they differ; the folders keep the times of the source's.

    A disk that becomes the first one gets the resume device alone.
    """
    if work.on_mirror("/etc/initramfs-tools").is_dir():
        # 'auto' would take the swap of the machine that mkinitramfs runs on.
        named = f"UUID={resume_uuid}" if resume_uuid else "none"
        _write(work, RESUME, f"RESUME={named}\n".encode())
    if role is Role.MIRROR and work.on_mirror(paths.UNIT_FOLDER).is_dir():
        unit = template(BOOTED_UNIT).encode()
        _write(work, BOOTED, unit)
        _link(work, BOOTED_WANTED, BOOTED)


def is_own(work: TreeWork, path: str) -> bool:
    """Whether a path of the whole tree is one of these, so that no other step removes it."""
    return path in OWN_PATHS and (path != RESUME or work.on_mirror("/etc/initramfs-tools").is_dir())


def _write(work: TreeWork, path: str, data: bytes) -> None:
    target = work.on_mirror(path)
    if target.is_file() and not target.is_symlink() and target.read_bytes() == data:
        return
    _make_folder(work, path)
    write_atomic(target, data, mode=0o644)
    work.keep_folder_times(path)


def _link(work: TreeWork, path: str, to: str) -> None:
    link = work.on_mirror(path)
    if link.is_symlink():
        return
    _make_folder(work, path)
    link.symlink_to(to)
    work.keep_folder_times(path)


def _make_folder(work: TreeWork, path: str) -> None:
    folder = work.on_mirror(path).parent
    if not folder.is_dir():
        folder.mkdir(mode=0o755)
        work.keep_folder_times(str(PurePosixPath(path).parent))

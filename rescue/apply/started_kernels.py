"""The kernels that a menu starts, and where their files lie."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from rescue.apply.step_context import TreeWork
from rescue.model.boot.menu import Concern, Image, Menu
from rescue.model.mirror.record import MirrorRecord
from rescue.system.files.rooted_tree import Tree
from rescue.text.grub_cfg import parse_menu
from rescue.text.grub_env import menu_holder, parse_environment

GRUB_CFG = "/boot/grub/grub.cfg"
_GRUBENV = "/boot/grub/grubenv"
_KERNEL = "vmlinuz-"


@dataclass(frozen=True, kw_only=True)
class Started:
    """A kernel of this system that a menu starts, its files named as on the whole tree.

    `must` is true where the menu starts it by default.
    """

    kernel: str
    initrds: tuple[str, ...]
    must: bool

    @property
    def version(self) -> str:
        """The kernel's version as in its file name, '' where there is none."""
        name = PurePosixPath(self.kernel).name
        return name.removeprefix(_KERNEL) if name.startswith(_KERNEL) else ""


def named_kernels(work: TreeWork) -> tuple[str, ...]:
    """Return the versions that the mirror's menu starts: none of them may be pruned."""
    mirror = Tree(root=work.workspace.tree())
    if not mirror.is_file(GRUB_CFG):
        return ()
    started = started_by(parse_menu(mirror.text(GRUB_CFG)), saved_entry(mirror), work.record)
    return tuple(dict.fromkeys(each.version for each in started if each.version))


def saved_entry(tree: Tree) -> str:
    """Return the entry that an environment block names, or '' if there is none.

    Its names are compared within one menu: what is translated in one is so in the other.
    """
    try:
        text = tree.text(_GRUBENV) if tree.is_file(_GRUBENV) else ""
    except OSError:  # the menu is judged without it; whoever copies it says so
        text = ""
    return parse_environment(text).get("saved_entry", "")


def started_by(menu: Menu, saved: str, record: MirrorRecord) -> tuple[Started, ...]:
    """Return the kernels that concern this system, of a menu that names the mirror's devices."""
    default = menu.default_entry(record.identifiers.translate(saved))
    own = _names_of_root(record)
    found: list[Started] = []
    for image in menu.images:
        concern = menu.concern(image, default=default, is_root=lambda spec: spec.lower() in own)
        kernel = _place(image, image.path, record)
        if concern is Concern.OTHER or not image.is_linux or kernel is None:
            continue
        initrds = (_place(image, path, record) for path in image.initrds)
        found.append(
            Started(
                kernel=kernel,
                initrds=tuple(path for path in initrds if path),
                must=concern is Concern.DEFAULT or (default is None and not found),
            )
        )
    return tuple(found)


def _names_of_root(record: MirrorRecord) -> frozenset[str]:
    """Return how root= may name the mirror's root, in lower case."""
    uuid, partuuid = record.root.mirror_uuid, record.root.mirror_partuuid
    new = [pair.new for pair in record.identifiers.pairs if pair.new.uuid == uuid]
    labels = [f"label={names.label}" for names in new if names.label]
    tags = (f"uuid={uuid}", f"partuuid={partuuid}")
    links = (f"/dev/disk/by-uuid/{uuid}", f"/dev/disk/by-partuuid/{partuuid}")
    return frozenset(each.lower() for each in (*tags, *links, *labels))


def _place(image: Image, path: str, record: MirrorRecord) -> str | None:
    """Return where a path of GRUB's lies on the whole tree, None where that is not the mirror's."""
    if not path.startswith("/") or "$" in path:
        return None
    holder = menu_holder(record)
    if image.filesystem:
        wanted = image.filesystem.lower()
        pairs = [each for each in record.filesystems if each.mirror_uuid.lower() == wanted]
        if not pairs:
            return None
        holder = pairs[0]
    return f"{holder.mount_point.rstrip('/')}{path}"

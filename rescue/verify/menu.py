"""The mirror's menus and everything they start (see `model.boot.menu`).

The default entry and the system's own kernels must boot; what else the menu names is noted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rescue.model.boot.firmware import GrubPlatform
from rescue.model.boot.menu import Concern, Image, Menu, Search
from rescue.model.finding import Finding, Severity
from rescue.model.storage.place import place_of
from rescue.text.grub_cfg import parse_menu
from rescue.text.grub_env import parse_environment
from rescue.verify.chain import Link, Mirror, broken, note, ok
from rescue.verify.kernel import check_kernel
from rescue.verify.owndisk import is_kernel_name
from rescue.verify.ramdisk import check_initramfs, check_resume_argument

GRUB_CFG = "/boot/grub/grub.cfg"
_GRUBENV = "/boot/grub/grubenv"


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """The mirror's menu, and what each of its entries is to the mirror."""

    mirror: Mirror
    menu: Menu
    default: int | None

    def concern(self, image: Image) -> Concern:
        return self.menu.concern(image, default=self.default, is_root=self._is_root)

    def concerning(self) -> tuple[Image, ...]:
        """Return the images that the mirror must be able to start."""
        return tuple(each for each in self.menu.images if self.concern(each) is not Concern.OTHER)

    def concerns(self, search: Search) -> bool:
        """Whether an entry that must boot looks for its files by this search."""
        if search.entry >= 0:
            entries = {image.entry for image in self.concerning()} | {self.default}
            return search.entry in entries
        return any(image.filesystem == search.value for image in self.concerning())

    def _is_root(self, spec: str) -> bool:
        part = self.mirror.own.resolve(spec)
        return part is not None and place_of(part) == self.mirror.record.root.place


def check_menu(mirror: Mirror) -> Iterator[Finding]:
    """Follow grub.cfg to kernels, modules, initramfs, root= and resume=. Raises OSError."""
    yield from _check_grub_modules(mirror)
    if not mirror.tree.is_file(GRUB_CFG):
        yield broken(Link.GRUB_CFG, "is missing", file=GRUB_CFG)
        return
    text = mirror.tree.text(GRUB_CFG)
    if not text.strip():
        yield broken(Link.GRUB_CFG, "is empty", file=GRUB_CFG)
        return
    menu = parse_menu(text)
    reading = _Reading(mirror=mirror, menu=menu, default=menu.default_entry(_saved_entry(mirror)))
    found = [broken(Link.GRUB_CFG, fault, file=GRUB_CFG) for fault in menu.faults]
    found += [finding for search in menu.searches for finding in _check_search(reading, search)]
    found += _check_default(reading)
    yield from found or [ok(Link.GRUB_CFG, f"whole, {len(menu.images)} entries", file=GRUB_CFG)]
    yield from _check_images(reading)
    yield from _unused_kernels(mirror, menu)


def _saved_entry(mirror: Mirror) -> str:
    """Return the entry that the environment block names ('GRUB_DEFAULT=saved'), or ''."""
    if not mirror.tree.is_file(_GRUBENV):
        return ""
    return parse_environment(mirror.tree.text(_GRUBENV)).get("saved_entry", "")


def _check_grub_modules(mirror: Mirror) -> Iterator[Finding]:
    for platform in GrubPlatform:
        file = f"/boot/grub/{platform}/normal.mod"
        if platform in mirror.record.platforms and not mirror.tree.is_file(file):
            yield broken(Link.GRUB, f"GRUB's own modules for {platform} are missing", file=file)
        elif platform in mirror.record.platforms:
            yield ok(Link.GRUB, f"GRUB's own modules for {platform}", file=f"/boot/grub/{platform}")


def _check_search(reading: _Reading, search: Search) -> Iterator[Finding]:
    mirror = reading.mirror
    if search.by == "uuid":
        found = mirror.own.filesystem(search.value)
    elif search.by == "label":
        found = mirror.own.resolve(f"LABEL={search.value}")
    else:
        return
    if found is not None:
        return
    what = f"searches for {search.value}"
    if search.by == "uuid" and mirror.is_source_uuid(search.value):
        yield broken(Link.GRUB_CFG, f"{what}, which is the source's", file=GRUB_CFG)
    elif not reading.concerns(search):
        yield note(Link.GRUB_CFG, f"{what}, which is on another disk", file=GRUB_CFG)
    else:
        yield broken(Link.GRUB_CFG, f"{what}: not on the mirror's own disk", file=GRUB_CFG)


def _check_default(reading: _Reading) -> list[Finding]:
    """Report if no entry starts this system, or if the default entry is for another program."""
    menu, found = reading.menu, []
    if menu.images and not any(image.is_linux for image in reading.concerning()):
        message = "no entry in it starts a kernel of this system"
        found.append(broken(Link.GRUB_CFG, message, file=GRUB_CFG))
    default = menu.entries[reading.default] if reading.default is not None else None
    started = [image for image in menu.images if image.entry == reading.default]
    if default is not None and not any(image.is_linux for image in started):
        message = f"the default entry, '{default.title}', starts no kernel of this system"
        found.append(note(Link.GRUB_CFG, message, file=GRUB_CFG))
    return found


def _check_images(reading: _Reading) -> Iterator[Finding]:
    """Check each kernel and each initramfs once, however many entries start them.

    What the default entry starts comes first: its weight is the one that counts.
    """
    mirror = reading.mirror
    versions: dict[str, str] = {}
    checked: set[str] = set()
    for image in sorted(
        reading.menu.images, key=lambda each: list(Concern).index(reading.concern(each))
    ):
        concern = reading.concern(image)
        path = _in_tree(mirror, image, image.path)
        if concern is Concern.OTHER or not image.is_linux:
            yield from _check_program(mirror, image, path, concern)
            continue
        if path is not None and path not in versions:
            versions[path], findings = check_kernel(mirror, path)
            yield from _weighed(mirror, image, concern, path, findings)
        for initrd in image.initrds:
            initrd_path = _in_tree(mirror, image, initrd)
            if initrd_path is not None and initrd_path not in checked:
                checked.add(initrd_path)
                findings = check_initramfs(mirror, initrd_path, versions.get(path or "", ""))
                yield from _weighed(mirror, image, concern, initrd_path, findings)
        yield from _check_arguments(mirror, image)


def _check_program(
    mirror: Mirror, image: Image, path: str | None, concern: Concern
) -> Iterator[Finding]:
    """Look whether another program (a memory test), or another system's kernel, is there."""
    if path is None or mirror.tree.is_file(path):
        return
    weigh = broken if concern is Concern.DEFAULT else note
    yield weigh(Link.KERNEL, f"'{image.title}' starts this file, which is missing", file=path)


def _weighed(
    mirror: Mirror, image: Image, concern: Concern, path: str, findings: tuple[Finding, ...]
) -> Iterator[Finding]:
    """Give a missing file its entry's severity: a stale entry breaks no boot."""
    if concern is Concern.DEFAULT or mirror.tree.is_file(path):
        yield from findings
        return
    for finding in findings:
        stale = f"{finding.message}; '{image.title}', which is not the default entry, starts it"
        yield replace(finding, severity=Severity.NOTE, message=stale)


def _in_tree(mirror: Mirror, image: Image, path: str) -> str | None:
    """Return where a path of GRUB's lies in the tree; None where it leads off the mirror.

    A search that finds nothing here has been reported by itself.
    """
    if not path.startswith("/") or "$" in path:
        return None
    if image.filesystem:
        pair = mirror.pair_of_uuid(image.filesystem)
        return mirror.path_on(pair, path) if pair else None
    return mirror.path_on(mirror.record.holder_of(GRUB_CFG), path)


def _check_arguments(mirror: Mirror, image: Image) -> Iterator[Finding]:
    root = image.root
    if root:
        yield _check_root(mirror, root)
    if not image.initrds and root and not root.startswith(("PARTUUID=", "/dev/")):
        message = f"'{image.title}' has no initramfs, which root={root} needs"
        yield broken(Link.INITRAMFS, message, file=GRUB_CFG)
    yield from check_resume_argument(mirror, image.arguments, GRUB_CFG)


def _check_root(mirror: Mirror, root: str) -> Finding:
    part = mirror.own.resolve(root)
    if part is None:
        why = "a name of the kernel's" if is_kernel_name(root) else "not on the mirror's own disk"
        return broken(Link.ROOT, f"root={root} is {why}", file=GRUB_CFG)
    if place_of(part) != mirror.record.root.place:
        return broken(Link.ROOT, f"root={root} is not the root file system", file=GRUB_CFG)
    return ok(Link.ROOT, f"root={root} is the mirror's root", file=GRUB_CFG)


def _unused_kernels(mirror: Mirror, menu: Menu) -> Iterator[Finding]:
    named = {image.path.rpartition("/")[2] for image in menu.images}
    for path in mirror.tree.glob("/boot/vmlinuz-*"):
        if path.rpartition("/")[2] not in named:
            yield note(Link.KERNEL, "no entry of grub.cfg starts this kernel", file=path)

"""grub.cfg and everything it starts."""

from collections.abc import Iterator

from rescue.model.boot import GrubPlatform
from rescue.model.finding import Finding
from rescue.verify.chain import Link, Mirror, broken, note, ok
from rescue.verify.grubcfg import Image, Menu, Search, parse_menu
from rescue.verify.kernel import check_kernel
from rescue.verify.owndisk import is_kernel_name
from rescue.verify.ramdisk import check_initramfs, check_resume_argument

GRUB_CFG = "/boot/grub/grub.cfg"
# These sections may lead to other systems and other disks, and the boot of ours does not.
_ABOUT_OTHERS = ("30_os-prober", "40_custom", "41_custom")


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
    found = [broken(Link.GRUB_CFG, fault, file=GRUB_CFG) for fault in menu.faults]
    found += [finding for search in menu.searches for finding in _check_search(mirror, search)]
    yield from found or [ok(Link.GRUB_CFG, f"whole, {len(menu.images)} entries", file=GRUB_CFG)]
    yield from _check_images(mirror, menu)
    yield from _unused_kernels(mirror, menu)


def _check_grub_modules(mirror: Mirror) -> Iterator[Finding]:
    for platform in GrubPlatform:
        file = f"/boot/grub/{platform}/normal.mod"
        if platform in mirror.record.platforms and not mirror.tree.is_file(file):
            yield broken(Link.GRUB, f"GRUB's own modules for {platform} are missing", file=file)
        elif platform in mirror.record.platforms:
            yield ok(Link.GRUB, f"GRUB's own modules for {platform}", file=f"/boot/grub/{platform}")


def _check_search(mirror: Mirror, search: Search) -> Iterator[Finding]:
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
    elif search.section.endswith(_ABOUT_OTHERS):
        yield note(Link.GRUB_CFG, f"{what}, which is on another disk", file=GRUB_CFG)
    else:
        yield broken(Link.GRUB_CFG, f"{what}: not on the mirror's own disk", file=GRUB_CFG)


def _check_images(mirror: Mirror, menu: Menu) -> Iterator[Finding]:
    """Check each kernel and each initramfs once, however many entries start them."""
    versions: dict[str, str] = {}
    checked: set[str] = set()
    for image in menu.images:
        path = _in_tree(mirror, image, image.path)
        if path is None:
            continue
        if path not in versions:
            versions[path], findings = check_kernel(mirror, path)
            yield from findings
        for initrd in image.initrds:
            initrd_path = _in_tree(mirror, image, initrd)
            if initrd_path is not None and initrd_path not in checked:
                checked.add(initrd_path)
                yield from check_initramfs(mirror, initrd_path, versions[path])
        yield from _check_arguments(mirror, image)


def _in_tree(mirror: Mirror, image: Image, path: str) -> str | None:
    """Return where a path of GRUB's lies in the tree; None where it leads off the mirror.

    A search that finds nothing here has been reported by itself.
    """
    if not path.startswith("/") or "$" in path:
        return None
    if image.filesystem:
        pair = mirror.pair_of_uuid(image.filesystem)
        return mirror.path_on(pair, path) if pair else None
    return mirror.path_on(mirror.holder(GRUB_CFG), path)


def _check_arguments(mirror: Mirror, image: Image) -> Iterator[Finding]:
    roots = [arg.partition("=")[2] for arg in image.arguments if arg.startswith("root=")]
    if not roots:  # a memory test, or another program that is started like a kernel
        return
    root = roots[-1]
    part = mirror.own.resolve(root)
    if part is None:
        why = "a name of the kernel's" if is_kernel_name(root) else "not on the mirror's own disk"
        yield broken(Link.ROOT, f"root={root} is {why}", file=GRUB_CFG)
    elif part.number != mirror.record.root.partition:
        yield broken(Link.ROOT, f"root={root} is not the root file system", file=GRUB_CFG)
    else:
        yield ok(Link.ROOT, f"root={root} is the mirror's root", file=GRUB_CFG)
    if not image.initrds and not root.startswith(("PARTUUID=", "/dev/")):
        message = f"'{image.title}' has no initramfs, which root={root} needs"
        yield broken(Link.INITRAMFS, message, file=GRUB_CFG)
    yield from check_resume_argument(mirror, image.arguments, GRUB_CFG)


def _unused_kernels(mirror: Mirror, menu: Menu) -> Iterator[Finding]:
    named = {image.path.rpartition("/")[2] for image in menu.images}
    for path in mirror.tree.glob("/boot/vmlinuz-*"):
        if path.rpartition("/")[2] not in named:
            yield note(Link.KERNEL, "no entry of grub.cfg starts this kernel", file=path)

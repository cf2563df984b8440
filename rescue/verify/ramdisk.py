"""The initramfs, read to its end: whole, for this kernel, and free of the source."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rescue.errors import RescueError
from rescue.model.finding import Finding
from rescue.model.storage.filesystem import SwapArea
from rescue.system.boot.initramfs import Member, members
from rescue.system.files.rooted_tree import without_comments
from rescue.verify.arrays import FILES_INSIDE, PROGRAMS_INSIDE, array_problem
from rescue.verify.chain import Link, Mirror, broken, note, ok

_MODULES = re.compile(r"(?:usr/)?lib/modules/([^/]+)/")
_MOST_NAMED = 1000
"""Places in one image that name the source: more of them tell no more."""

_RESUME = re.compile(r"conf/(initramfs\.conf|conf\.d/.+)$")


@dataclass
class _Seen:
    files: int = 0
    has_init: bool = False
    versions: set[str] = field(default_factory=set)
    leftovers: list[tuple[str, str]] = field(default_factory=list)
    resume: dict[str, str] = field(default_factory=dict)
    has_mdadm: bool = False
    mdadm_conf: str = ""


def check_initramfs(mirror: Mirror, path: str, version: str) -> tuple[Finding, ...]:
    """Read one initramfs to its end and report what is wrong with it.

    `version` is of the kernel it is started with, '' where that is not known. Raises OSError.
    """
    if not mirror.tree.is_file(path):
        return (broken(Link.INITRAMFS, "the initramfs is missing", file=path),)
    seen = _Seen()
    try:
        for member in members(mirror.tree.locate(path)):
            _note(mirror, seen, member)
    except RescueError as error:
        message = f"the initramfs cannot be read to its end: {error.message}"
        return (broken(Link.INITRAMFS, message, file=path),)
    found = (
        *_content(seen, path, version),
        *_resume(mirror, seen, path),
        *_arrays(mirror, seen, path),
    )
    return found or (ok(Link.INITRAMFS, f"whole, {seen.files} files", file=path),)


def _note(mirror: Mirror, seen: _Seen, member: Member) -> None:
    seen.files += 1
    seen.has_init = seen.has_init or member.name == "init"
    made_for = _MODULES.match(f"{member.name}/")
    if made_for:
        seen.versions.add(made_for.group(1))
    seen.has_mdadm = seen.has_mdadm or member.name in PROGRAMS_INSIDE
    found = set(mirror.leftovers_in(member.data))
    if member.is_text:
        text = without_comments(member.data.decode("utf-8", "surrogateescape"))
        # What occurs only in a comment is found by the search in the bytes, and is harmless.
        found = set(mirror.record.identifiers.find_old(text))
        if member.name in FILES_INSIDE:
            seen.mdadm_conf += text
        if _RESUME.match(member.name):
            for value in re.findall(r"^[ \t]*(?:export )?RESUME=(\S*)", text, re.MULTILINE):
                seen.resume[member.name] = value.strip("\"'")
    if len(seen.leftovers) < _MOST_NAMED:
        seen.leftovers += [(member.name, name) for name in sorted(found)]


def _content(seen: _Seen, path: str, version: str) -> Iterator[Finding]:
    if not seen.has_init:
        yield broken(Link.INITRAMFS, "the initramfs has no /init", file=path)
    if version and seen.versions and version not in seen.versions:
        made_for = ", ".join(sorted(seen.versions))
        yield broken(Link.INITRAMFS, f"made for kernel {made_for}, not {version}", file=path)
    for name, identifier in seen.leftovers:
        message = f"holds {identifier}, which is the source's, in {name}"
        yield broken(Link.INITRAMFS, message, file=path)


def _resume(mirror: Mirror, seen: _Seen, path: str) -> Iterator[Finding]:
    """Check the resume device that initramfs-tools waits for (man 5 initramfs.conf, RESUME)."""
    if not seen.resume:
        return
    name = max(seen.resume)  # the files of conf.d are read in order; the last one counts
    value = seen.resume[name]
    problem = resume_problem(mirror, value)
    if problem and not any(value.endswith(identifier) for _, identifier in seen.leftovers):
        yield broken(Link.RESUME, f"{problem} (in {name})", file=path)


def _arrays(mirror: Mirror, seen: _Seen, path: str) -> Iterator[Finding]:
    """Check that it starts no array of the system's that the mirror was made from."""
    if not mirror.record.identifiers.arrays:
        return
    problem = array_problem(seen.mdadm_conf, mdadm=seen.has_mdadm)
    if problem:
        yield broken(Link.ARRAYS, f"{problem} (in {FILES_INSIDE[0]})", file=path)


def resume_problem(mirror: Mirror, spec: str) -> str:
    """Given a resume device, return what is wrong with it, or '' if nothing is."""
    if spec in ("", "none"):
        return ""
    part = mirror.own.resolve(spec)
    if part is None:
        return f"resume={spec} is not on the mirror's own disk"
    return "" if isinstance(part.content, SwapArea) else f"resume={spec} is not a swap area"


def check_resume_argument(
    mirror: Mirror, arguments: tuple[str, ...], file: str
) -> Iterator[Finding]:
    """Check the resume device of a kernel command line."""
    values = [arg.partition("=")[2] for arg in arguments if arg.startswith("resume=")]
    if not values or "noresume" in arguments:
        return
    problem = resume_problem(mirror, values[-1])
    if any(arg.startswith("resume_offset=") for arg in arguments) and mirror.own.resolve(
        values[-1]
    ):
        message = "resumes from a swap file: its offset on the mirror is another one"
        yield note(Link.RESUME, message, file=file)
    elif problem:
        yield broken(Link.RESUME, problem, file=file)
    else:
        yield ok(Link.RESUME, f"resume={values[-1]} is the mirror's swap", file=file)

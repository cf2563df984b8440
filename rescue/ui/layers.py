"""Layers as a tree: what is made of a device, each line below the one that it is made of."""

from collections.abc import Iterator

from rescue.model.storage.device import Device, DeviceKind
from rescue.model.storage.disk import Use, UseKind
from rescue.model.storage.filesystem import FileSystem, SwapArea
from rescue.model.storage.graph import Graph
from rescue.model.storage.layer import Container, Content, Foreign
from rescue.units import human_bytes

_INDENT = "  "
_MOST_SUBVOLUMES = 8
"""Those that are not mounted; a server that keeps a snapshot of each hour has hundreds."""

_HIDDEN_WHEN_EMPTY = frozenset({DeviceKind.OPTICAL, DeviceKind.FLOPPY, DeviceKind.MEMORY})


def describe(content: Content) -> str:
    """Return what a device holds in a few words; '' for nothing."""
    match content:
        case FileSystem(kind=kind, label=label):
            return f"{kind.value} '{label}'" if label else kind.value
        case SwapArea():
            return "swap"
        case Container(kind=kind):
            return kind
        case Foreign(kind=kind, label=label):
            return f"{kind} '{label}'" if label else kind
        case _:
            return ""


def whole_content(graph: Graph, key: str, content: Content) -> str:
    """Return what a device holds with what lies at the top of its layers: 'crypto_LUKS (ext4)'."""
    device = graph.at(key)
    over = graph.over(device) if device is not None else ()
    held = (each.content for each in over if not isinstance(each.content, Container))
    inner = ", ".join(dict.fromkeys(filter(None, map(describe, held))))
    return f"{describe(content)} ({inner})" if inner else describe(content)


def mounted_on(uses: tuple[Use, ...]) -> str:
    """Return ' on /srv' for a device that is mounted there, '' for one that is not."""
    where = [use.where for use in uses if use.kind is UseKind.MOUNTED]
    return f" on {', '.join(where)}" if where else ""


def layer_lines(graph: Graph, key: str) -> tuple[str, ...]:
    """Return a line for each layer above the device of that key, indented by its distance.

    Partitions in a disk's own table are not included. What is made from several devices is
    described in full at the first of them, and referred to at the others.
    """
    device = graph.at(key)
    return tuple(_lines(graph, device, depth=1)) if device is not None else ()


def loose_lines(graph: Graph) -> tuple[str, ...]:
    """Return the lines of what lies on no disk: compressed memory, image files, lost layers."""
    loose = (
        device
        for device in graph.devices
        if device.kind is not DeviceKind.DISK and not graph.below(device)
    )
    return tuple(line for device in loose for line in _loose(graph, device))


def _loose(graph: Graph, device: Device) -> Iterator[str]:
    lines = list(_lines(graph, device, depth=1))
    empty = not (device.uses or describe(device.content) or lines)
    if not (empty and device.kind in _HIDDEN_WHEN_EMPTY):
        yield _words(device)
        yield from lines


def _lines(graph: Graph, device: Device, *, depth: int) -> Iterator[str]:
    left_out = 0
    for layer in graph.above(device):
        if device.kind is DeviceKind.DISK and layer.kind is DeviceKind.PARTITION:
            continue
        if layer.kind is DeviceKind.SUBVOLUME and not layer.uses:
            left_out += 1
            if left_out > _MOST_SUBVOLUMES:
                continue
        first, *others = graph.below(layer)
        if first.key != device.key:
            yield f"{_INDENT * depth}{_name(layer)}: see {first.key}"
            continue
        also = f", also on {', '.join(other.key for other in others)}" if others else ""
        yield f"{_INDENT * depth}{_words(layer, below=device.content)}{also}"
        yield from _lines(graph, layer, depth=depth + 1)
    if left_out > _MOST_SUBVOLUMES:
        yield f"{_INDENT * depth}and {left_out - _MOST_SUBVOLUMES} more subvolumes"


def _words(layer: Device, *, below: Content | None = None) -> str:
    """Describe a layer; what it is made of tells how it is encrypted."""
    size = f"{human_bytes(layer.size)} " if layer.size else ""
    trouble = layer.array.trouble if layer.array else ""
    header = below.luks.words if isinstance(below, Container) and below.luks else ""
    details = ", ".join(filter(None, (layer.detail, header, trouble)))
    kind = f"{layer.kind.value} ({details})" if details else layer.kind.value
    if layer.kind is DeviceKind.LOOP and layer.name:
        kind += f" {layer.name}"
    held = describe(layer.content)
    return f"{_name(layer)}: {size}{', '.join(filter(None, (kind, held)))}{mounted_on(layer.uses)}"


def _name(layer: Device) -> str:
    if layer.kind in (DeviceKind.VOLUME, DeviceKind.SUBVOLUME) and layer.name:
        return layer.name
    return layer.path.removeprefix("/dev/").removeprefix("mapper/") or layer.key

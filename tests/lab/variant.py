"""The servers the lab offers: which Debian, which kernel, and what their disks are plugged into."""

from dataclasses import dataclass

from tests.lab.disk import DiskModel


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What tells one server of a layout from another."""

    suite: str
    """Debian's code name of the release."""
    python: str
    """Version of its Python, which wheels must suit."""
    flavour: str
    """Of the kernel: `cloud-amd64` is small, starts fast and drives virtio alone; `amd64` is what
    a server made of metal runs."""
    disk: DiskModel
    """Of the disk that Debian is installed on."""
    mirror: DiskModel
    """Of the disk that a prepared server's mirror is on."""

    @property
    def name(self) -> str:
        """A word for the names of files."""
        return f"{self.suite}-{self.flavour}-{self.disk}-{self.mirror}"

    @property
    def can_be_frozen(self) -> bool:
        """Whether its disks can be."""
        return self.disk.can_be_frozen and self.mirror.can_be_frozen


BOOKWORM = Variant(
    suite="bookworm",
    python="3.11",
    flavour="cloud-amd64",
    disk=DiskModel.VIRTIO,
    mirror=DiskModel.VIRTIO,
)
"""Debian 12 in a virtual machine: what a test is given that does not ask, as it costs least."""

BOOKWORM_SATA = Variant(
    suite="bookworm", python="3.11", flavour="amd64", disk=DiskModel.IDE, mirror=DiskModel.IDE
)
"""Debian 12 with the full kernel, both disks on SATA."""

TRIXIE_NVME = Variant(
    suite="trixie", python="3.13", flavour="amd64", disk=DiskModel.NVME, mirror=DiskModel.IDE
)
"""Debian 13 with the full kernel on NVMe, and its mirror on SATA."""

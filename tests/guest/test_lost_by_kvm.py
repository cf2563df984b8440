"""A guest that firmware and GRUB start, and whose kernel never speaks, is emulated instead."""

from pathlib import Path

import pytest

from rescue.system.vm import accelerator as product
from rescue.system.vm.accelerator import Accelerator
from tests.lab import accel, guest
from tests.lab.lab import Lab

NULL = Path("/dev/null")
# It carries out all that comes before the kernel, as some clouds' nested virtualisation does.
NO_64_BITS = ("-accel", "tcg", "-cpu", "pentium3")


def test_it_is_switched_on_again_and_kvm_is_given_up_for_the_whole_run(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(accel.STOCK, str(tmp_path))
    monkeypatch.setenv(accel.VARIABLE, "kvm")
    monkeypatch.setattr(product, "KVM", NO_64_BITS)
    monkeypatch.setattr(accel, "KVM", NO_64_BITS)
    # Asked for by hand it is not tried, and its device need not be there.
    monkeypatch.setattr(accel, "Accelerator", lambda asked: Accelerator(asked, device=NULL))
    monkeypatch.setattr(guest, "SILENT_SECONDS", 15.0)
    with lab.machine([lab.server_disk()]) as machine:
        assert accel.is_kvm(machine.accelerator)
        with pytest.warns(UserWarning, match="no sign of life"):
            machine.wait_for_login()
        assert not accel.is_kvm(machine.accelerator)
    assert not accel.is_kvm(accel.accelerator())

"""mdadm.conf on a disk that has left its arrays."""

import pytest

from rescue.text.mdadm_conf import ALONE, named_arrays, stands_alone, without_arrays

OWN = "1f2e3d4c:5b6a7988:97a6b5c4:d3e2f101"
OWN_PLAIN = OWN.replace(":", "")
BOOT = "aaaaaaaa:bbbbbbbb:cccccccc:dddddddd"
DATA = "01234567:89abcdef:01234567:89abcdef"

DEBIAN = f"""\
# mdadm.conf
#
# !NB! Run update-initramfs -u after updating this file.
#DEVICE partitions containers

# automatically tag new arrays as belonging to the local system
HOMEHOST <system>

# instruct the monitoring daemon where to send mail alerts
MAILADDR root

# definitions of existing MD arrays
ARRAY /dev/md/0 metadata=1.2 name=server:0 UUID={BOOT}
ARRAY /dev/md/1 metadata=1.2 name=server:1 UUID={OWN}
"""
"""As Debian's installer leaves it."""


def test_the_arrays_go_and_everything_else_stays() -> None:
    kept = DEBIAN.partition("ARRAY ")[0]
    assert without_arrays(DEBIAN, (OWN, BOOT)) == kept + ALONE


def test_what_stands_alone_starts_no_array_by_itself() -> None:
    assert not stands_alone(DEBIAN)
    assert stands_alone(without_arrays(DEBIAN, (OWN, BOOT)))
    assert not stands_alone(f"AUTO +all\n{ALONE}"), "the first line counts"


def test_done_twice_is_done_once() -> None:
    once = without_arrays(DEBIAN, (OWN, BOOT))
    assert without_arrays(once, (OWN, BOOT)) == once


def test_an_array_of_data_on_other_disks_is_still_started() -> None:
    text = f"{DEBIAN}ARRAY /dev/md/data level=raid5 UUID={DATA}\n"
    done = without_arrays(text, (OWN, BOOT))
    assert f"ARRAY /dev/md/data level=raid5 UUID={DATA}\n" in done
    assert DATA.replace(":", "") in named_arrays(done)


@pytest.mark.parametrize(
    "line",
    [
        f"ARRAY /dev/md0 UUID={OWN.upper()}",
        f"array /dev/md0 uuid={OWN}",
        f"arr /dev/md0 uuid={OWN}",
        f'ARRAY /dev/md0 UUID="{OWN}"',
        f"ARRAY /dev/md0 UUID={OWN.replace(':', '.')}",
        f"ARRAY /dev/md0 level=raid1\n  num-devices=2\n\tUUID={OWN}",
        f"ARRAY /dev/md0 level=raid1\n\n  UUID={OWN}",
        "ARRAY /dev/md0 devices=/dev/sda1,/dev/sdb1",
        "ARRAY /dev/md0 super-minor=0",
        "AUTO +1.x homehost -all",
        "auto +all",
        "POLICY domain=all action=force-spare auto=yes",
        "PART-POLICY type=disk path=pci-* auto=yes",
    ],
)
def test_nothing_is_left_that_could_start_one_of_them(line: str) -> None:
    done = without_arrays(f"MAILADDR root\n{line}\nHOMEHOST <system>\n", (OWN,))
    assert OWN_PLAIN not in named_arrays(done)
    assert stands_alone(done)
    settings = [each for each in done.removesuffix(ALONE).splitlines() if each.strip()]
    if "UUID" in line.upper():
        assert not any(OWN_PLAIN[:8] in each.lower() for each in settings)
    assert {"MAILADDR root", "HOMEHOST <system>"} <= set(settings)


def test_a_file_without_an_end_of_line_or_without_a_line() -> None:
    assert without_arrays("MAILADDR root", ()) == f"MAILADDR root\n{ALONE}"
    assert without_arrays("", ()) == ALONE


def test_debian_s_hook_finds_a_line_that_names_an_array() -> None:
    # /usr/share/initramfs-tools/hooks/mdadm greps for '^ARRAY', and looks at all disks otherwise.
    assert any(line.startswith("ARRAY") for line in ALONE.splitlines())

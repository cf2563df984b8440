"""The identifier map over files of any content: nothing of the source is left, whatever else is."""

from hypothesis import given
from hypothesis import strategies as st

from rescue.apply.bootfiles import translated
from tests.fabricated_mirror import mirror_uuid, partuuid, source_uuid
from tests.fuzz.damage import damaged_text
from tests.fuzz.effort import TRIES
from tests.fuzz.files import CRYPTTAB, FSTAB, GRUBENV, MENU
from tests.unit.model.test_identifiers import IDS

SPELLED = tuple(
    spelled
    for pair in IDS.pairs
    for spelled in (pair.old.uuid, pair.old.partuuid, pair.old.label, *pair.old.paths)
    if spelled
)


def of_the_source(text: str) -> str:
    """Return a file of the fabricated mirror in which the map's own source is named."""
    for number in range(2, 7):
        for old in (mirror_uuid(number), partuuid(number), source_uuid(number)):
            text = text.replace(old, SPELLED[number % len(SPELLED)])
    return text


FILES = {
    "/boot/grub/grub.cfg": of_the_source(MENU),
    "/etc/fstab": of_the_source(FSTAB),
    "/etc/crypttab": of_the_source(CRYPTTAB),
    "/boot/grub/grubenv": GRUBENV.ljust(1024, "#"),
}


@TRIES
@given(path=st.sampled_from(sorted(FILES)), draws=st.data())
def test_a_damaged_file_is_translated(path: str, draws: st.DataObject) -> None:
    text = draws.draw(damaged_text((FILES[path], "".join(f"UUID={each}\n" for each in SPELLED))))
    data = translated(text.encode("utf-8", "surrogateescape"), IDS, path=path)
    again = data.decode("utf-8", "surrogateescape")
    if path != "/etc/fstab":  # of which comments and mount points are left alone
        assert IDS.find_old(again) == ()

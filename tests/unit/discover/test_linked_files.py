"""Settings that are reached through links: where they lie, and that no link leads out."""

from pathlib import Path

from rescue.discover.linked import linked_files
from rescue.model.boot.files import is_menu
from rescue.system.files.rooted_tree import Tree


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    return path


def found(root: Path) -> dict[str, str]:
    return {each.name: each.path for each in linked_files(root)}


def test_links_are_followed_to_their_end_inside_the_tree(tmp_path: Path) -> None:
    put(tmp_path / "srv/config/fstab")
    put(tmp_path / "etc/default/grub")
    (tmp_path / "etc/fstab").symlink_to("/etc/fstab.now")
    (tmp_path / "etc/fstab.now").symlink_to("../../../srv/config/fstab")
    assert found(tmp_path) == {"/etc/fstab": "/srv/config/fstab"}


def test_a_folder_that_is_a_link_counts_with_all_below(tmp_path: Path) -> None:
    put(tmp_path / "srv/grub.d/a.cfg")
    put(tmp_path / "srv/grub.d/more/b.cfg")
    (tmp_path / "etc/default").mkdir(parents=True)
    (tmp_path / "etc/default/grub.d").symlink_to("/srv/grub.d")
    assert found(tmp_path) == {
        "/etc/default/grub.d/a.cfg": "/srv/grub.d/a.cfg",
        "/etc/default/grub.d/more/b.cfg": "/srv/grub.d/more/b.cfg",
    }


def test_a_masked_unit_and_a_link_to_nowhere_lead_to_no_file(tmp_path: Path) -> None:
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    (units / "srv.mount").symlink_to("/dev/null")
    (units / "old.mount").symlink_to("/usr/lib/systemd/system/old.mount")
    (units / "circle.mount").symlink_to("circle.mount")
    assert found(tmp_path) == {}


def test_a_link_that_goes_round_ends(tmp_path: Path) -> None:
    put(tmp_path / "etc/grub.d/40_custom")
    (tmp_path / "etc/grub.d/self").symlink_to(".")
    (tmp_path / "etc/grub.d/all").symlink_to("/")
    assert Tree(root=tmp_path).glob("/etc/grub.d/**") == ("/etc/grub.d/40_custom",)


def test_menus_are_told_from_settings() -> None:
    assert is_menu("/boot/grub/grub.cfg")
    assert is_menu("/boot/loader/entries/a.conf")
    assert not is_menu("/etc/default/grub")

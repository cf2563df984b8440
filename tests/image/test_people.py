"""Whose the files of a dead disk are, and where the homes lie: by name, as the accounts say."""

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rescue.model.restore.way_back import RestoreReport, Told
from tests.image.deaddisk import Night, accounts, night_of
from tests.image.loopdisks import sh

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]


@pytest.fixture(name="night")
def night_(tmp_path: Path) -> Iterator[Night]:
    with night_of(tmp_path) as night:
        yield night


def letter(path: Path, owner: int, *, mode: int = 0o600, age: float = 3600.0) -> Path:
    """Write a letter, with the folders to it, that belongs to one user and his group."""
    missing = [each for each in path.parents if not each.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"to {owner}")
    for each in (path, *missing):
        os.chown(each, owner, owner)
    path.chmod(mode)
    os.utime(path, (time.time() - age,) * 2)
    return path


def owner(path: Path) -> tuple[int, int]:
    info = path.stat()
    return info.st_uid, info.st_gid


def of(report: RestoreReport, user: str) -> Told:
    return next(told for told in report.users if told.user == user)


def test_the_number_of_a_new_user_is_somebody_else_s_here(night: Night) -> None:
    """anna was made after the last run, as 1005; on the mirror bert got 1005, and anna 1006."""
    with night.alive() as alive:
        accounts(alive, {"bela": 1001, "anna": 1005})
        mail = letter(alive / "home/anna/Maildir/new/1", 1005)
        sh("setfacl", "-m", "u:1005:r", "-m", "g:1005:r", str(mail))
        letter(alive / "home/bela/Maildir/new/2", 1001)
    accounts(night.running, {"bela": 1001, "bert": 1005, "anna": 1006})
    night.night_is_over()
    report = night.restored()
    mail = night.home / "anna/Maildir/new/1"
    for path in (mail, mail.parent, night.home / "anna"):
        assert owner(path) == (1006, 1006), "anna's mail is hers"
    assert "1005" not in sh("getfacl", "--numeric", "--absolute-names", str(mail))
    assert "user:1006:r" in sh("getfacl", "--numeric", "--absolute-names", str(mail))
    assert owner(night.home / "bela/Maildir/new/2") == (1001, 1001)
    assert any(
        "'anna' has the number 1005 on the dead disk and 1006 here" in n for n in report.notes
    )
    assert not any("bela" in note for note in report.notes)
    assert of(report, "anna").owners_differ == 0
    again = night.restored()
    assert of(again, "anna").comes == ()
    assert of(again, "anna").owners_differ == 0, "compared by name"


def test_a_user_who_is_not_here_gives_nothing_to_who_has_the_number(night: Night) -> None:
    with night.alive() as alive:
        accounts(alive, {"anna": 1005, "zoe": 1234})
        letter(alive / "home/anna/secret", 1005, mode=0o4755)
        letter(alive / "home/zoe/first", 1234)
        letter(alive / "home/zoe/found", 1300)
    accounts(night.running, {"bert": 1005, "carl": 1300})
    night.night_is_over()
    report = night.restored()
    given = owner(night.home / "anna/secret")
    assert given[0] == given[1]
    assert given[0] not in (0, 1005, 1300, 1234)
    assert owner(night.home / "zoe/first") == (1234, 1234), "a number that is free is kept"
    assert owner(night.home / "zoe/found")[0] not in (0, 1300), "nobody's there is not carl's here"
    said = " ".join(report.notes)
    assert f"'useradd --uid {given[0]} anna'" in said
    assert "number 1005 is 'bert' here" in said
    assert "'useradd --uid 1234 zoe'" in said


@pytest.mark.parametrize("broken", ["gone", "a link", "garbage", "a folder"])
def test_where_the_accounts_cannot_be_read_folders_tell_and_that_is_said(
    night: Night, broken: str
) -> None:
    with night.alive() as alive:
        letter(alive / "home/anna/letter", 1005)
        letter(alive / "home/zoe/letter", 1007)
        letter(alive / "home/bela/letter", 1001)
        passwd = alive / "etc/passwd"
        passwd.unlink()
        if broken == "a link":
            passwd.symlink_to("/etc/passwd")
        elif broken == "garbage":
            passwd.write_bytes(os.urandom(4000))
        elif broken == "a folder":
            passwd.mkdir()
    accounts(night.running, {"bela": 1001, "bert": 1005, "anna": 1006, "carl": 1007})
    night.night_is_over()
    report = night.restored()
    assert owner(night.home / "anna/letter")[0] == 1006
    assert owner(night.home / "bela/letter")[0] == 1001
    assert owner(night.home / "zoe/letter")[0] not in (0, 1005, 1006, 1007)
    said = " ".join(report.notes)
    assert "/etc/passwd and /etc/group of the dead disk:" in said
    assert "matched by folder name and user number" in said


def test_homes_are_found_where_the_accounts_have_them(night: Night) -> None:
    """One outside /home, one that /home only links to (through the dead disk's own root)."""
    homes = {"carl": "/srv/carl", "dora": "/home/dora", "www": "/var/www", "eve": "/data/eve"}
    people = {"anna": 1000, "carl": 1003, "dora": 1004, "eve": 1005}
    with night.alive() as alive:
        accounts(alive, {**people, "www": 33}, homes)
        letter(alive / "home/anna/1", 1000)
        letter(alive / "srv/carl/2", 1003)
        letter(alive / "srv/data/dora/3", 1004)
        letter(alive / "var/www/4", 33)
        letter(alive / "srv/other/5", 1003)
        (alive / "home/dora").symlink_to("/srv/data/dora")
    accounts(night.running, {**people, "www": 33}, homes)
    (night.running / "srv/data/dora").mkdir(parents=True)
    (night.running / "home/dora").symlink_to("/srv/data/dora")
    night.night_is_over()
    before = night.digest()
    report = night.restored()
    assert (night.running / "srv/carl/2").read_text() == "to 1003"
    assert owner(night.running / "srv/carl/2") == (1003, 1003)
    assert stat.S_IMODE((night.running / "srv/carl/2").stat().st_mode) == 0o600
    assert (night.running / "srv/data/dora/3").read_text() == "to 1004"
    assert (night.home / "anna/1").exists()
    assert not (night.running / "var/www/4").exists(), "a system's account: by name alone"
    assert not (night.running / "srv/other/5").exists()
    assert {(told.tree, told.user): told.new for told in report.users if told.new} == {
        ("/home", "anna"): ("anna/1",),
        ("/srv/carl", "carl"): ("2",),
        ("/srv/data/dora", "dora"): ("3",),
    }
    assert any("the home of 'eve', /data/eve, does not exist" in note for note in report.notes)
    assert night.digest() == before


def test_a_home_that_lies_elsewhere_here_is_said(night: Night) -> None:
    with night.alive() as alive:
        accounts(alive, {"carl": 1003}, {"carl": "/srv/carl"})
        letter(alive / "srv/carl/2", 1003)
        letter(alive / "home/anna/1", 1000)
    accounts(night.running, {"carl": 1003}, {"carl": "/srv/new/carl"})
    night.night_is_over()
    report = night.restored()
    assert not (night.running / "srv/carl").exists()
    assert any(
        "'carl' is /srv/carl on the dead disk and /srv/new/carl here" in n for n in report.notes
    )


def test_a_named_tree_goes_by_name_too(night: Night) -> None:
    with night.alive() as alive:
        accounts(alive, {"anna": 1005})
        letter(alive / "var/mail/anna", 1005)
    accounts(night.running, {"bert": 1005, "anna": 1006})
    night.night_is_over()
    night.restored(trees=("/var/mail",))
    assert owner(night.running / "var/mail/anna") == (1006, 1006)

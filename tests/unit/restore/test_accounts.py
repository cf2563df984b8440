"""The accounts of a system, read from files that may be anybody's."""

from rescue.model.restore.account import FIRST_PERSON, LAST_PERSON, parse_accounts
from rescue.restore.owners import map_owners

PASSWD = "root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\n"
GROUP = "root:x:0:\nanna:x:1000:\n"


def test_a_number_that_the_kernel_has_not_is_no_account() -> None:
    for number in ("9" * 5000, "4294967295", "\u0663", "-1"):
        line = f"eve:x:{number}:1001::/home/eve:/bin/sh\n"
        seen = parse_accounts(PASSWD + line, GROUP + f"eve:x:{number}:\n")
        assert [user.name for user in seen.users] == ["root", "anna"]
        assert [name for name, _ in seen.groups] == ["root", "anna"]


def test_a_line_ends_where_the_system_ends_it() -> None:
    gecos = "Anna\u2028eve:x:0:0::/:/bin/sh"
    text = PASSWD.replace("anna:x:1000:1000:", f"anna:x:1000:1000:{gecos.replace(':', ' ')}")
    assert [user.name for user in parse_accounts(text, GROUP).users] == ["root", "anna"]


def test_limits_that_cannot_be_meant_are_as_if_not_said() -> None:
    for text in ("UID_MIN 60000\nUID_MAX 1000\n", f"UID_MAX {'9' * 5000}\n", "\nUID_MIN\n1\n"):
        seen = parse_accounts(PASSWD, GROUP, text)
        assert (seen.first, seen.last) == (FIRST_PERSON, LAST_PERSON)


def test_where_every_number_of_people_is_taken_others_are_given() -> None:
    limits = "UID_MIN 1000\nUID_MAX 1001\n"
    here = parse_accounts(PASSWD + "ben:x:1001:1001::/home/ben:/bin/sh\n", GROUP, limits)
    there = parse_accounts("eve:x:1000:1000::/home/eve:/bin/sh\n", "eve:x:1000:\n", limits)
    assert map_owners(there, here).owners.users.here(1000) == 1002

"""GRUB's menu as GRUB reads it: words, blocks, and the entry that is started by default."""

import pytest

from rescue.model.boot.menu import Concern
from rescue.text.grub_cfg import parse_menu

MENU = """
if [ "${next_entry}" ] ; then set default="${next_entry}"; else
set default="DEFAULT"
fi
menuentry "one"{ linux /one root=x; }
submenu 'more > of it' --id more {
\tmenuentry 'it'\\''s two' $menuentry_id_option 'id-2' { linux /two root=y; initrd /a \\
\t/b; }
\tmenuentry three {
\t\tlinux ($root)/three root=z # root=no
\t}
}
if [ "$grub_platform" = "efi" ]; then
menuentry 'Firmware' --id fw { fwsetup; }
fi
menuentry 'last' { chainloader +1; }
"""


def test_words_blocks_and_quotes_are_read_as_grub_does() -> None:
    menu = parse_menu(MENU)
    assert menu.faults == ()
    assert [entry.title for entry in menu.entries] == [
        "one",
        "more > of it",
        "it's two",
        "three",
        "Firmware",
        "last",
    ]
    assert [(i.title, i.path, i.root, i.initrds) for i in menu.images] == [
        ("one", "/one", "x", ()),
        ("more > of it > it's two", "/two", "y", ("/a", "/b")),
        ("more > of it > three", "/three", "z", ()),
    ]


@pytest.mark.parametrize(
    ("default", "title"),
    [
        ("0", "one"),
        ("", "one"),
        ("nothing like it", "one"),
        ("9", "one"),
        ("1", "it's two"),
        ("1>1", "three"),
        ("more>id-2", "it's two"),
        ("more >> of it>three", "three"),
        ("last", "last"),
        ("fw", "Firmware"),
        ("3", None),
        ("$mine", None),
    ],
)
def test_the_default_is_found_by_number_id_and_title(default: str, title: str | None) -> None:
    menu = parse_menu(MENU.replace("DEFAULT", default))
    found = menu.default_entry()
    assert (menu.entries[found].title if found is not None else None) == title


def test_a_saved_default_is_the_environment_s() -> None:
    menu = parse_menu(MENU.replace("DEFAULT", "${saved_entry}"))
    assert menu.default_entry("more>three") == 3
    assert menu.default_entry() == 0


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("menuentry 'a' {\n linux /a root=x\n", "a block in it is not closed"),
        ("menuentry 'a' {\n linux /a root=x\n}\n}\n", "a block in it is not closed"),
        ("menuentry 'a {\n linux /a root=x\n}\n", "a quotation in it is not closed"),
        ("set timeout=3\n", "no entry in it starts a kernel"),
        ("\x00\x00\x00\x00", "no entry in it starts a kernel"),
    ],
)
def test_what_cannot_be_whole_has_a_fault(text: str, fault: str) -> None:
    assert fault in parse_menu(text).faults


def test_what_was_added_by_hand_behind_the_sections_is_no_fault() -> None:
    entry = "menuentry 'a' {\n linux /a root=x\n}\n"
    text = f"### BEGIN /etc/grub.d/10_linux ###\n{entry}### END /etc/grub.d/10_linux ###\n"
    assert parse_menu(f"{text}set timeout=3\n# by hand\n").faults == ()
    assert parse_menu(f"{text}### BEGI").faults != ()


def test_the_line_between_this_system_and_others_is_drawn_once() -> None:
    def concerns(section: str, command: str) -> Concern:
        text = f"menuentry 'first' {{ linux /first root=mine; }}\nmenuentry 'x' {{ {command}; }}\n"
        mark = "### {} /etc/grub.d/" + section + " ###\n"
        menu = parse_menu(mark.format("BEGIN") + text + mark.format("END"))
        image = menu.images[-1]
        return menu.concern(image, default=0, is_root=lambda spec: spec == "mine")

    assert concerns("10_linux", "linux /b root=mine") is Concern.OWN
    assert concerns("10_linux", "linux /b root=gone") is Concern.OWN
    assert concerns("45_own", "linux /b root=mine") is Concern.OWN
    assert concerns("45_own", "linux /b root=other") is Concern.OTHER
    assert concerns("45_own", "linux /memtest") is Concern.OTHER
    assert concerns("30_os-prober", "linux /b root=mine") is Concern.OTHER


def test_variables_that_are_not_closed_are_words() -> None:
    (image,) = parse_menu("menuentry a { linux /x root=${root ${ $ a$b }").images
    assert image.arguments[0] == "root=$"


def test_a_deep_menu_is_called_by_what_is_nearest() -> None:
    text = "".join(f"submenu m{number} {{ " for number in range(40)) + "linux /x root=y" + "}" * 40
    (image,) = parse_menu(text).images
    assert image.title.startswith("m24 > m25 > ")
    assert image.title.endswith(" > m39")


def test_a_saved_entry_of_many_digits_is_a_name() -> None:
    menu = parse_menu('set default="${saved_entry}"\nmenuentry a { linux /x root=y }')
    assert menu.default_entry("9" * 5000) == 0

"""The parsers of files that people, packages and GRUB write: a line for each."""

from rescue.apply.bootset import started_kernels
from rescue.discover import boot
from rescue.errors import UsageError
from rescue.model.restore.account import parse_accounts
from rescue.proof import inject
from rescue.store import config
from rescue.system.files.rooted_tree import without_comments
from rescue.text.fstab import crypttab_with_nofail, parse_fstab, with_nofail
from rescue.text.grub_cfg import parse_menu
from rescue.text.grub_env import parse_environment
from rescue.text.mdadm_conf import named_arrays, without_arrays
from rescue.verify.leftovers import grub_questions
from tests.fuzz.target import Target, recorded
from tests.unit.model.test_identifiers import IDS

MENU = recorded("verify/grub.cfg")
FSTAB = recorded("verify/fstab")
CRYPTTAB = """\
# <target name> <source device> <key file> <options>
data UUID=5a5a5a5a-0000-4000-8000-000000000005 none luks,discard
swap /dev/vda6\t/dev/urandom swap,cipher=aes-xts-plain64
bare UUID=5a5a5a5a-0000-4000-8000-000000000004
"""
GRUBENV = "# GRUB Environment Block\nsaved_entry=gnulinux-advanced>gnulinux-6.1\nnext_entry=\n####"
STUB = """\
search.fs_uuid c0c0c0c0-0000-4000-8000-000000000003 root hd0,gpt3
set prefix=($root)'/grub'
configfile $prefix/grub.cfg
"""
MDADM = """\
HOMEHOST <system>
AUTO +1.x -all
ARRAY /dev/md/0 metadata=1.2 name=server:0
   UUID=1f2e3d4c:5b6a7988:97a6b5c4:d3e2f101
"""
PASSWD = "root:x:0:0:root:/root:/bin/bash\nanna:x:1000:1000:Anna,,,:/home/anna:/bin/sh\n"
GROUP = "root:x:0:\nanna:x:1000:\ndisk:x:6:anna,root\n"
LOGIN_DEFS = "UID_MIN\t\t\t 1000\nUID_MAX\t\t\t60000\n"
TOML = """\
version = 1
[source]
serial = "SRC0001"
table_uuid = "11111111-2222-3333-4444-555555555555"
[[mirror]]
name = "attic"
interval_hours = 200.0
disk = { serial = "MIR0001", table_uuid = "66666666-7777-8888-9999-000000000000" }
[run]
brake_share = 0.5
[[hook]]
when = "before"
command = ["true"]
environment = { A = "b" }
[alarm]
apprise = ["mailto://user:pass@example.org"]
"""


SAVED = parse_menu(MENU.replace('default="0"', 'default="${saved_entry}"'))


TARGETS = (
    Target(name="grub.cfg", parse=parse_menu, specimens=(MENU, STUB)),
    Target(
        name="grubenv: the saved entry",
        parse=SAVED.default_entry,
        specimens=("1>2", "gnulinux-advanced-u>gnulinux-6.1", "a >> b>0"),
    ),
    Target(name="grub.cfg: kernels", parse=started_kernels, specimens=(MENU,)),
    Target(name="grub.cfg: heard", parse=inject.heard, specimens=(MENU,)),
    Target(name="grubenv", parse=parse_environment, specimens=(GRUBENV,)),
    Target(name="fstab", parse=parse_fstab, specimens=(FSTAB,)),
    Target(
        name="fstab: nofail",
        parse=lambda text: with_nofail(text, ("/home", "/boot", "/dev/vda6")),
        specimens=(FSTAB,),
    ),
    Target(name="crypttab", parse=crypttab_with_nofail, specimens=(CRYPTTAB,)),
    Target(
        name="mdadm.conf",
        parse=lambda t: without_arrays(t, ("1f2e3d4c:5b6a7988:97a6b5c4:d3e2f101",)),
        specimens=(MDADM,),
    ),
    Target(name="mdadm.conf: arrays", parse=named_arrays, specimens=(MDADM,)),
    Target(name="identifiers", parse=IDS.translate, specimens=(MENU, FSTAB)),
    Target(name="identifiers in fstab", parse=IDS.translate_fstab, specimens=(FSTAB,)),
    Target(
        name="passwd",
        parse=lambda text: parse_accounts(text, GROUP),
        specimens=(PASSWD,),
        errors=(ValueError,),
    ),
    Target(name="group", parse=lambda text: parse_accounts(PASSWD, text), specimens=(GROUP,)),
    Target(
        name="login.defs",
        parse=lambda text: parse_accounts(PASSWD, GROUP, text),
        specimens=(LOGIN_DEFS,),
    ),
    Target(
        name="os-release",
        parse=boot.parse_os_release,
        specimens=('PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\n',),
    ),
    Target(
        name="default/grub",
        parse=lambda text: boot.distributor([text], {}),
        specimens=("GRUB_DISTRIBUTOR=`( . /etc/os-release; echo ${NAME} )`\n",),
    ),
    Target(
        name="debconf",
        parse=grub_questions,
        specimens=("Name: grub-pc/install_devices\nValue: /dev/vda\n\nName: other/x\nValue: 1\n",),
    ),
    Target(name="comments", parse=without_comments, specimens=(FSTAB,)),
    Target(
        name="rescue.toml",
        parse=lambda text: config.parse(text, where="a test"),
        specimens=(TOML,),
        errors=(UsageError,),
    ),
)

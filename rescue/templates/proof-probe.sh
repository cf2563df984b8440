# Only in the throw-away overlay of a proof, never on a disk: runs inside the booted mirror, says on
# the second serial port what it sees, and switches off. Plain sh and what every Debian has; each
# answer is one line, 'rescue-proof NAME BASE64 SHA256' (of 'NAME BASE64'), so that nothing printed
# can be taken for another, and what was cut on its way not for an answer. Each is given also where
# it is empty (rescue/proof/report.py knows them all): one that is not heard was lost.
cd / || exit
port=/dev/ttyS1
kept=/run/rescue-proof
stty -F "$port" raw -echo
send() {
    data=$(base64 -w 0) || return
    sum=$(printf '%s %s' "$1" "$data" | sha256sum) || return
    printf 'rescue-proof %s %s %s\n' "$1" "$data" "${sum%% *}" | tee -a "$kept" >"$port"
}

cut -d' ' -f1 /proc/uptime | send uptime
send command-line </proc/cmdline
# What may be the reason that the rest never comes is said first.
stat -c %a / | send root-mode
if setpriv --reuid=65534 --regid=65534 --clear-groups ls / >/dev/null 2>&1; then
    echo yes
else
    echo no
fi | send root-readable
df --output=avail -B1 / | tail -n 1 | send root-free

# Until the boot is through, one way or the other, or patience is: some boots wait for ever.
read -r patience </.rescue/proof/patience
turn=0
while :; do
    state=$(systemctl is-system-running 2>/dev/null)
    case $state in
    '' | initializing | starting | offline | unknown) ;;
    *) break ;;
    esac
    read -r now _ </proc/uptime
    if [ "${now%.*}" -ge "$patience" ]; then
        systemctl list-jobs --no-legend --plain | send waiting
        break
    fi
    [ $((turn % 10)) -eq 9 ] && systemctl list-jobs --no-legend --plain 2>/dev/null | send waiting
    turn=$((turn + 1))
    sleep 1
done
printf %s "$state" | send state

systemctl show -p UserspaceTimestampMonotonic -p FinishTimestampMonotonic | send times
systemctl list-units --failed --plain --no-legend | send failed
systemctl list-units --failed --plain --no-legend | while read -r unit _; do
    printf '%s: %s\n' "$unit" "$(journalctl -b -u "$unit" -n 1 -o cat --no-pager)"
done | send journal
# What is mounted on demand is there when it is opened; one that does not answer is not waited for.
findmnt --list --noheadings --types autofs -o TARGET | while IFS= read -r place; do
    [ "$place" = /proc/sys/fs/binfmt_misc ] || timeout 30 stat "$place/." >/dev/null 2>&1
done
findmnt --json --list -o TARGET,UUID,FSTYPE,OPTIONS | send mounts
findmnt --fstab --json --list -o TARGET,SOURCE,FSTYPE,OPTIONS | send fstab
swapon --show=UUID --noheadings --raw | send swaps
cat /etc/crypttab 2>/dev/null | while read -r name _ _ options; do
    case $name in '' | '#'*) continue ;; esac
    case ,$options, in *,noauto,* | *,nofail,*) continue ;; esac
    [ -e "/dev/mapper/$name" ] || echo "$name"
done | send closed-layers
getent passwd | while IFS=: read -r _ _ uid _ _ home _; do
    if [ "$uid" -lt 1000 ] || [ "$uid" -ge 60000 ]; then continue; fi
    printf '%s %s %s\n' "$uid" "$(stat -c %u "$home" 2>/dev/null || echo none)" "$home"
done | send homes
# Without what only the two disks know: this goes into a log.
sed 's/^\( *"secret": "\)[^"]*/\1/' /.rescue/mirror.json 2>/dev/null | send marker

for check in /.rescue/proof/check-*; do
    [ -f "$check" ] || continue
    said=$(timeout 120 sh "$check" 2>&1)
    printf '%s\n%s' "$?" "$(printf %s "$said" | tail -n 5)" | send "${check##*/}"
done
echo yes | send done
# All of it once more: what else speaks on this port may have hit a line, and hardly hits it twice.
cat "$kept" >"$port"
sync
systemctl poweroff

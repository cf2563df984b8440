# Plays the night in a throw-away copy of the mirror, with the rescue that is on it; never on a
# real machine. A line that begins with '@' is a fact for 'rescue drill', any other is output.
set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root
export PATH HOME
here=/etc/rescue-drill
# CHANNEL, FOLDER, FIRST, NEW; and for each mark that this system makes: write_here, write_late.
. "$here/plan"
part=$(cat "$here/part")

say() {
    echo "@ $*" >"$CHANNEL"
    echo "rescue drill: $*" >/dev/console
}

leave() {
    say "end $part"
    sync
    systemctl poweroff
    exit 0
}

# play NAME CODE COMMAND...: ends the rehearsal where the command ends with another code.
play() {
    name=$1 wanted=$2
    shift 2
    say "start $name"
    "$@" >/run/rescue-drill.out 2>&1
    code=$?
    sed 's/^/  /' /run/rescue-drill.out >"$CHANNEL"
    say "done $name $code"
    [ "$code" = "$wanted" ] || leave
}

marks() {
    for file in "$FOLDER"/*; do
        [ -f "$file" ] || continue
        say "mark $1 $(sha256sum <"$file" | cut -d ' ' -f 1) ${file##*/}"
    done
}

look() {
    say "begin $part"
    say "state $(systemctl is-system-running --wait)"
    systemctl list-units --failed --plain --no-legend --no-pager |
        while read -r unit rest; do say "failed $unit"; done
    root=$(findmnt --noheadings --nofsroot --output SOURCE /)
    disk=$(lsblk --noheadings --paths --output PKNAME "$root")
    say "disk $(lsblk --noheadings --nodeps --output SERIAL "$disk")"
    rescue status --json >/run/rescue-drill.json 2>&1
    say "runs-from $(sed -n 's/.*"runs_from": "\([a-z]*\)".*/\1/p' /run/rescue-drill.json)"
}

echo >"$CHANNEL"
look
case $part in
night)
    # On the mirror the daily run refuses.
    play mirror 10 rescue mirror
    write_here
    play restore 0 rescue restore --yes --expect-serial "$FIRST" --report /var/tmp/rescue-drill
    marks restored
    # The copy of this folder on the new disk says that it is home.
    echo home >"$here/part"
    play failback 0 rescue failback "$NEW" --yes --expect-serial "$NEW"
    write_late
    play again 0 rescue failback "$NEW" --yes --expect-serial "$NEW"
    ;;
home)
    marks home
    ;;
esac
leave

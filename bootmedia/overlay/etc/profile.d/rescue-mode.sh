# On the machine's own consoles a login begins with the menu; leaving it gives a shell.
case "$(tty)" in
    /dev/tty1 | /dev/ttyS0) /usr/local/sbin/rescue-mode ;;
esac

# Puts the helper in its place and sets it up. Run as root, by pkexec or by an engine that is root.
# Standard input: the program. $1: its SHA-256, as the administrator was shown. $2: own or all.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
umask 022
folder=/usr/local/libexec
place=$folder/ropeway-helper
copy=

fail() {
    echo "$1" >&2
    exit 1
}

# Always 1: to pkexec's caller, 126 and 127 mean that nothing was run.
end() {
    code=$?
    [ -z "$copy" ] || rm -f -- "$copy"
    [ "$code" -eq 0 ] || exit 1
}
trap end EXIT
trap 'exit 1' HUP INT TERM PIPE

case $2 in own | all) ;; *) fail "neither own nor all: $2" ;; esac
mkdir -p -- "$folder"
at=$(cd -P -- "$folder" && pwd -P)
# Debian's group staff may write to folders of /usr/local, and counts as root there. With an access list (a "+", and its
# mask in place of the group's bits) nobody knows who else may.
while :; do
    read -r mode _ owner group _ <<LINE
$(LC_ALL=C ls -ld -- "$at/")
LINE
    case $owner:$group:${mode%.} in
        root:*:d????-??-* | root:root:d????w??-? | root:staff:d????w??-?) ;;
        *) fail "others than root can change $at" ;;
    esac
    [ -n "$at" ] || break
    at=${at%/*}
done

umask 077
copy=$(mktemp -- "$folder/.ropeway-helper.XXXXXX")
cat >"$copy"
sum=$(sha256sum <"$copy")
[ "${sum%% *}" = "$1" ] || fail "the program is not the one that was announced"
chown -- 0:0 "$copy"
chmod -- 755 "$copy"
before=false
[ ! -e "$place" ] || before=true
mv -fT -- "$copy" "$place"
copy=
cd /
if ! "$place" --install --grant "$2" --for "${PKEXEC_UID:-0}" </dev/null; then
    "$before" || "$place" --remove </dev/null || rm -f -- "$place"
    fail "the helper could not set itself up"
fi

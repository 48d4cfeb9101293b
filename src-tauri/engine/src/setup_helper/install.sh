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
# who is in Debian's group staff may write here, and counts as root
while :; do
    [ -n "$(find "$at/" -prune -user 0 ! -perm -002)" ] || fail "others than root can change $at"
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

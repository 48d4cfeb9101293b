#!/bin/sh
# Puts the sshuttle that the bench compares with into a virtual environment of its own.
#
# usage: setup.sh FOLDER
#
# Without it (no network, no Python) the bench says so in its tables and measures the rest.
set -eu

# the newest when the goals were set; another version is another comparison
version=2.0.0

main() {
    [ -x "$1/bin/sshuttle" ] && "$1/bin/sshuttle" --version 2>/dev/null | grep -qx "$version" && return
    need_venv || { echo "bench: no Python that can make a virtual environment; sshuttle is left out" >&2; return; }
    # what is there may be half done, or have been made in another place: its programs know their own path
    python3 -m venv --clear "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check "sshuttle==$version" ||
        echo "bench: sshuttle $version cannot be installed, and is left out" >&2
}

# Debian and Ubuntu have the module in a package of its own.
need_venv() {
    python3 -c 'import ensurepip, venv' 2>/dev/null && return
    command -v apt-get >/dev/null 2>&1 || return 1
    sudo=""
    [ "$(id -u)" = 0 ] || sudo="sudo"
    echo "bench: installs python3-venv"
    $sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
}

[ $# -eq 1 ] || { echo "usage: setup.sh FOLDER" >&2; exit 1; }
main "$1"

#!/bin/sh
# Installs what building and testing need, on Debian 12 and Ubuntu 24.04. Says nothing when all is there.
set -eu

# building the app; the window's page
packages="build-essential pkg-config libwebkit2gtk-4.1-dev"
# running the tests: a screen without a screen, a driver for the window, a bus for the tray
packages="$packages xvfb xauth webkit2gtk-driver dbus"
# running the app as an ordinary user
packages="$packages pkexec polkitd"
# the helper as a service: a computer of its own in namespaces
packages="$packages systemd util-linux iptables"
# linting the scripts that run as root
packages="$packages shellcheck"
# the lab: namespaces, ssh, firewall, a transport for ProxyCommand
packages="$packages iproute2 iptables nftables openssh-client openssh-server netcat-openbsd acl attr curl procps binutils bsdextrautils"

main() {
    need_tool cargo "Rust: https://rustup.rs"
    need_tool npm "Node.js 20 or newer: https://nodejs.org"
    rustup component add rustfmt clippy >/dev/null 2>&1 || true
    missing=$(missing_of $packages)
    # Ubuntu's chromium is a snap that cannot run here; Playwright brings its own there.
    if ! have_browser && apt-cache policy chromium 2>/dev/null | grep -q 'Candidate: [0-9]' && ! is_ubuntu; then
        missing="$missing chromium"
    fi
    [ -z "$missing" ] || install $missing
}

need_tool() {
    command -v "$1" >/dev/null 2>&1 || { echo "setup: $1 is missing. $2" >&2; exit 1; }
}

missing_of() {
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || printf ' %s' "$package"
    done
}

have_browser() {
    command -v chromium >/dev/null 2>&1
}

is_ubuntu() {
    grep -q '^ID=ubuntu' /etc/os-release 2>/dev/null
}

install() {
    command -v apt-get >/dev/null 2>&1 || { echo "setup: please install:$*" >&2; exit 1; }
    sudo=""
    if [ "$(id -u)" != 0 ]; then
        echo "setup: sudo is needed to install:$*"
        sudo="sudo"
    fi
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

main

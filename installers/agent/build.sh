#!/bin/sh
# Builds the static agent for this machine's kind and puts it into DEST_DIR as ropeway-agent-<os>-<cpu>
# (os = `uname -s` in lower case, cpu = `uname -m`: what the bootstrap asks the server for).
#
# usage: build.sh DEST_DIR
#
# musl when its std can be had. Otherwise glibc, linked statically; such a program crashes on other distributions
# as soon as it asks NSS for a name or a user, so the build fails if anything that could ask is linked in.
set -eu

# The agent crosses the network on the first visit to each server.
most_bytes=2000000

# The doors through which glibc loads NSS and character set modules, with the names they have inside. Not `dlopen`
# itself: glibc links that into every static program, an empty one too, and only what stands here would call it.
forbidden='getaddrinfo|getnameinfo|gethostby(name|addr)2?(_r)?|getservby(name|port)(_r)?|getprotobyname(_r)?'
forbidden="$forbidden|getpw(nam|uid|ent)(_r)?|getgr(nam|gid|ent)(_r)?|getgrouplist|initgroups"
forbidden="$forbidden|(gethost|getnet|getserv|getproto)ent(_r)?|(__)?nss_(lookup|next|load|database).*|iconv_open"

main() {
    destination=$(mkdir -p "$1" && cd "$1" && pwd)
    here=$(cd "$(dirname "$0")/../.." && pwd)
    cd "$here"

    need_linux
    target=$(choose_target)
    executable=$(build "$target")
    prove_static "$executable"
    prove_no_lookups "$executable"
    install_stripped "$executable" "$destination/ropeway-agent-linux-$(uname -m)"
}

need_linux() {
    [ "$(uname -s)" = Linux ] || fail "a static agent can only be built on Linux here"
}

# The target whose std is installed, or can be fetched without a fuss.
choose_target() {
    host=$(rustc -vV | sed -n 's/^host: //p')
    musl=$(echo "$host" | sed 's/-gnu/-musl/')
    if has_std "$musl" || { rustup target add "$musl" >/dev/null 2>&1 && has_std "$musl"; }; then
        echo "$musl"
    else
        echo "$host"
    fi
}

has_std() {
    ls "$(rustc --print sysroot)/lib/rustlib/$1/lib/"libstd-*.rlib >/dev/null 2>&1
}

# Prints the path of the executable, with its symbols: they are what the proof reads.
build() {
    # With --target the flags reach the agent alone, not the build scripts that run here.
    RUSTFLAGS='-C target-feature=+crt-static' cargo build --quiet --locked -p ropeway-agent \
        --profile agent --config 'profile.agent.strip=false' --target "$1" >&2
    echo "${CARGO_TARGET_DIR:-target}/$1/agent/ropeway-agent"
}

prove_static() {
    if readelf --wide --program-headers "$1" | grep -q INTERP; then
        fail "$1 needs a dynamic loader"
    fi
    if readelf --wide --dynamic "$1" | grep -q NEEDED; then
        fail "$1 needs shared libraries"
    fi
}

prove_no_lookups() {
    symbols=$(nm --format=just-symbols "$1")
    echo "$symbols" | grep -q . || fail "$1 has no symbols: nothing can be proved"
    if linked=$(echo "$symbols" | sed 's/@.*//' | grep -Ex "$forbidden"); then
        fail "$1 can look up names or load code on the server:" $linked
    fi
}

# Copied under another name first: somebody may be sending the old one right now.
install_stripped() {
    strip -o "$2.new" "$1"
    bytes=$(wc -c <"$2.new")
    if [ "$bytes" -gt "$most_bytes" ]; then
        rm -f "$2.new"
        fail "$bytes bytes are more than $most_bytes"
    fi
    mv -f "$2.new" "$2"
    echo "$2: $bytes bytes, static"
}

fail() {
    echo "build.sh: $*" >&2
    exit 1
}

[ $# -eq 1 ] || fail "usage: build.sh DEST_DIR"
main "$1"

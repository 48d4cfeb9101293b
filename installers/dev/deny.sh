#!/bin/sh
# Licences, sources and duplicates of what we depend on; known vulnerabilities where the advisory database can be had.
set -eu

# The version whose configuration format .deny.toml is written in.
version=0.20.2

command -v cargo-deny >/dev/null 2>&1 || cargo install --quiet --locked --version "$version" cargo-deny
cargo deny --log-level error check bans licenses sources
if git ls-remote --quiet https://github.com/rustsec/advisory-db >/dev/null 2>&1; then
    cargo deny --log-level error check advisories
else
    echo "deny: NO ADVISORIES CHECKED: their database cannot be reached from here" >&2
fi

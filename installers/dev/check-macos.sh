#!/bin/sh
# Type-checks the workspace for macOS on whatever machine this is: needs only that target's std. The lab is left out:
# its namespaces are Linux's own.
set -eu

target=aarch64-apple-darwin
have_std() { ls "$(rustc --print sysroot)/lib/rustlib/$target/lib/"libstd-*.rlib >/dev/null 2>&1; }

have_std || rustup target add "$target" >/dev/null 2>&1 || true
if ! have_std; then
    echo "check-macos: NOT CHECKED FOR MACOS: the std of $target cannot be had here" >&2
    exit 0
fi

# Nothing is linked, so what C code of dependencies would become does not matter; Apple's compiler is not here.
here=$(dirname "$0")
CC_aarch64_apple_darwin=$(realpath "$here/stub-cc.sh")
export CC_aarch64_apple_darwin AR_aarch64_apple_darwin=ar
cargo check --quiet --locked --target "$target" --workspace --exclude ropeway-lab

#!/bin/sh
# A C compiler for type-checks: each object that is asked for is made, empty. Everything else is refused, so that no
# build that needs real code takes this for one.
set -eu

object=''
compiles=no
for argument in "$@"; do
    [ "${before:-}" = -o ] && object=$argument
    [ "$argument" = -c ] && compiles=yes
    before=$argument
done
if [ "$compiles" = no ] || [ -z "$object" ]; then
    echo "stub-cc: nothing can be linked or tried with this compiler" >&2
    exit 1
fi
: >"$object"

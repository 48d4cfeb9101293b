#!/bin/sh
# Draws the tray's PNGs from icons/tray/ of the repository. They are committed, because a renderer in the build
# would cost every build minutes: run this again only after a drawing has changed.
# Needs rsvg-convert (Debian: librsvg2-bin).
set -eu
cd "$(dirname "$0")"

# 16 and 22 are the sizes that panels ask for, 32 and 44 the same on a screen of twice the density.
mkdir -p tray
for shape in off connected paused unverified degraded connecting waiting blocking setup error needs-you; do
    for base in 16 22; do
        for size in $base $((base * 2)); do
            rsvg-convert -w "$size" -h "$size" "../../icons/tray/$shape-$base.svg" -o "tray/$shape-$size.png"
        done
    done
done

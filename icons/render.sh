#!/bin/sh
# Draws the PNGs that the app and the packages need from app.svg (large) and app-32.svg (drawn on the 32 px grid).
# They are committed, so nobody else needs the drawing tools: run this only after changing an SVG.
# Uses rsvg-convert (Debian: librsvg2-bin) where it is installed, else a Chromium without a window.
set -eu
cd "$(dirname "$0")"

page=$(mktemp --suffix=.html)
trap 'rm -f "$page"' EXIT

# draw FILE.svg SIZE FILE.png
draw() {
    if command -v rsvg-convert >/dev/null; then
        rsvg-convert --width "$2" --height "$2" --output "$3" "$1"
    else
        draw_with_chromium "$@"
    fi
}

draw_with_chromium() {
    printf '<style>*{margin:0}svg{display:block;width:%spx;height:%spx}</style>%s' "$2" "$2" "$(cat "$1")" >"$page"
    "${CHROMIUM:-chromium}" --headless --no-sandbox --disable-gpu --hide-scrollbars --force-device-scale-factor=1 \
        --default-background-color=00000000 --window-size="$2,$2" --screenshot="$3" "file://$page" 2>/dev/null
}

draw app-32.svg 32 32x32.png
draw app.svg 128 128x128.png
draw app.svg 256 128x128@2x.png
draw app.svg 512 icon.png

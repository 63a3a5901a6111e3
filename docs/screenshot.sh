#!/usr/bin/env bash
# Takes the README's picture: a real chat in a real terminal. Asks the demo model for a plot, runs
# the code it writes in the sandbox, and saves what xterm shows, with the plot as sixels.
#
#   docs/screenshot.sh [OUT.png]
#
# Needs Xvfb, xterm (built with sixel graphics), xdotool and ImageMagick. `STARCHAT` may name another
# command than `.venv/bin/starchat`.
set -euo pipefail
cd "$(dirname "$0")/.."

out="${1:-docs/images/plot.png}"
starchat="${STARCHAT:-.venv/bin/starchat}"
question="${QUESTION:-Draw a bar chart of apples 12, pears 7 and plums 9.}"
for tool in Xvfb xterm xdotool import; do
  command -v "$tool" >/dev/null || { echo "screenshot: please install $tool" >&2; exit 69; }
done

home="$(mktemp -d)"
trap 'kill $(jobs -p) 2>/dev/null || true; STARCHAT_HOME="$home" $starchat stop 2>/dev/null || true; rm -rf "$home"' EXIT

display=":$((90 + RANDOM % 100))"
Xvfb "$display" -screen 0 1600x1200x24 >/dev/null 2>&1 &
sleep 1
export DISPLAY="$display"

# The sixel screen is wide enough for the plot; the VT340 identity tells programs to use sixels.
STARCHAT_HOME="$home" xterm -ti vt340 -geometry 110x46 -fa "DejaVu Sans Mono" -fs 10 -bg "#121212" \
  -xrm "XTerm*decGraphicsID: vt340" -xrm "XTerm*maxGraphicSize: 1400x1000" \
  -xrm "XTerm*numColorRegisters: 256" -xrm "XTerm*metaSendsEscape: true" \
  -xrm "XTerm*allowSendEvents: true" -tn xterm-256color -e env COLORTERM=truecolor $starchat &
sleep 6
window="$(xdotool search --class xterm | tail -n 1)"
type_text() { xdotool type --window "$window" --delay 12 "$1" 2>/dev/null; }
press() { xdotool key --window "$window" "$@" 2>/dev/null; }

type_text "$question"
press Return
sleep "${ANSWER_SECONDS:-10}"
press alt+r        # run the last code block: the first run asks for consent
sleep 3
press Return
sleep "${RUN_SECONDS:-9}"
import -window "$window" "$out"
echo "$out" >&2

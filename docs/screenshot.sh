#!/usr/bin/env bash
# Takes the picture of the README: a real chat in a real terminal. Asks the demo model for a plot,
# runs the code it writes in the sandbox, and saves the window, with the plot as sixels.
#
#   docs/screenshot.sh [OUT.png]
#
# Needs Xvfb, xterm with sixel graphics, xdotool and ImageMagick. STARCHAT may name another command
# than `.venv/bin/starchat`, QUESTION another question.
set -euo pipefail
cd "$(dirname "$0")/.."

out="${1:-docs/images/plot.png}"
starchat="${STARCHAT:-$PWD/.venv/bin/starchat}"
question="${QUESTION:-Draw a bar chart of apples 12, pears 7 and plums 9.}"
for tool in Xvfb xterm xdotool import; do
  command -v "$tool" >/dev/null || { echo "screenshot: please install $tool" >&2; exit 69; }
done

STARCHAT_HOME="$(mktemp -d)"
export STARCHAT_HOME
finish() {
  "$starchat" stop 2>/dev/null || true
  kill $(jobs -p) 2>/dev/null || true
  rm -rf "$STARCHAT_HOME"
}
trap finish EXIT

display=":$((90 + RANDOM % 100))"
Xvfb "$display" -screen 0 1400x1200x24 +extension GLX >/dev/null 2>&1 &
sleep 1
DISPLAY="$display" xterm -ti vt340 -geometry 100x46 -fa "DejaVu Sans Mono" -fs 11 -bg "#121212" \
  -xrm "XTerm*decGraphicsID: vt340" -xrm "XTerm*maxGraphicSize: 1400x1100" \
  -xrm "XTerm*numColorRegisters: 256" -xrm "XTerm*metaSendsEscape: true" \
  -tn xterm-256color -e env COLORTERM=truecolor "$starchat" >/dev/null 2>&1 &
sleep 8
export DISPLAY="$display"
window="$(xdotool search --class xterm 2>/dev/null | tail -n 1)"
type_text() { xdotool windowfocus "$window" type --delay 15 "$1" 2>/dev/null; }
press() { xdotool windowfocus "$window" key "$@" 2>/dev/null; }

type_text "$question"
press Return
sleep "${ANSWER_SECONDS:-10}"
press alt+r        # run the last code block: the first run asks for consent
sleep 3
press Return
sleep "${RUN_SECONDS:-10}"
import -window "$window" "$out"
echo "$out" >&2

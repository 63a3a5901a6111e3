#!/usr/bin/env bash
# Makes .venv ready to run, test and check; called again, it returns at once.
#
#   PYTHON       the interpreter to use (default: the first of 3.11 or later that is found)
#   STARCHAT_ENVIRONMENTS  the folder of the environments that run code, about 1 GB each
#   TORCH_INDEX  the index of PyTorch's CPU wheels (its install page names it), for a Linux machine
#                without an NVIDIA GPU where pip would fetch the CUDA build
set -euo pipefail
cd "$(dirname "$0")"

TORCH="torch==2.13.0"
CPU_WHEELS="${TORCH_INDEX:-}"
STAMP=.venv/.made-from
LOCKS=starchat_tui/sandbox/environments/locks
wanted="$({ cat pyproject.toml setup.sh "$LOCKS"/*.txt 2>/dev/null || true; } | cksum)"

say() { printf 'setup: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# Runs its arguments as root; fails where this user may not, and never asks for a password.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else have sudo && sudo -n "$@"; fi
}

# The command that installs packages on this system, or nothing.
installer() {
  if have apt-get; then echo "apt-get install -y --no-install-recommends"
  elif have dnf; then echo "dnf install -y"
  elif have pacman; then echo "pacman -S --noconfirm --needed"
  elif have brew; then echo "brew install"
  fi
}

# Installs system packages where the user may; says what to do where not.
system() {
  local install
  install="$(installer)"
  [ -n "$install" ] || { say "please install $* (no apt-get, dnf, pacman or brew was found)"; return 1; }
  say "installing $*"
  if [ "${install%% *}" = brew ]; then
    brew install "$@" >&2 && return
  else
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086  # the words of a command
    as_root $install "$@" >/dev/null 2>&1 && return
    # A fresh machine has no package lists yet.
    have apt-get && as_root apt-get update -qq >/dev/null 2>&1 && as_root $install "$@" >/dev/null 2>&1 && return
  fi
  say "could not install $*; someone who may can do it with: sudo $install $*"
  return 1
}

python() {
  local found
  for found in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
    if [ -n "$found" ] && "$found" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$found"
      return
    fi
  done
  return 1
}

environment() {
  local interpreter
  interpreter="$(python)" || system python3 || true
  interpreter="$(python)" || { say "StarChat needs Python 3.11 or later; set PYTHON=/path/to/python3 if it is not on the path"; exit 1; }
  "$interpreter" -m venv .venv >/dev/null 2>&1 && return
  # Debian and Ubuntu ship venv apart from Python.
  have apt-get && { system "$("$interpreter" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')-venv" || true; }
  "$interpreter" -m venv --clear .venv
}

pip() { .venv/bin/python -m pip --disable-pip-version-check --quiet "$@"; }

# Whether a plain install would bring CUDA (gigabytes that a machine without a GPU cannot use).
brings_cuda() {
  pip install --dry-run --ignore-installed --report - "$TORCH" 2>/dev/null | grep -Eq '"name": "(nvidia|cuda)-'
}

torch() {
  pip freeze | grep -q "^$TORCH" && return
  say "installing PyTorch (this is the long part)"
  if [ "$(uname -s)" = Linux ] && ! have nvidia-smi && brings_cuda; then
    [ -n "$CPU_WHEELS" ] && pip install --index-url "$CPU_WHEELS" "$TORCH" && return
    say "taking the build with CUDA, gigabytes this machine has no use for; for the small one set"
    say "TORCH_INDEX to the index of PyTorch's CPU wheels, as PyTorch's install page gives it"
  fi
  pip install "$TORCH"
}

# The environment that runs code for the demo models; `make test` also creates that of 2023.
environments() {
  .venv/bin/python -m starchat_tui env create current >/dev/null ||
    say "the first run of code will try again to create its environment"
}

[ "$(cat "$STAMP" 2>/dev/null)" = "$wanted" ] && exit 0

[ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null || environment
torch
say "installing StarChat and its tools"
pip install --editable '.[all,dev]'
if [ "$(uname -s)" = Linux ] && ! have bwrap; then
  system bubblewrap || say "without bubblewrap everything works except running code"
fi
environments
printf '%s\n' "$wanted" >"$STAMP"
say "ready"

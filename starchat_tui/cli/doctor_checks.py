"""Checks of `starchat doctor`: one function per topic.

They change nothing: no engine is started, no file downloaded, nothing written to the terminal.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import platform
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from starchat_tui import __version__
from starchat_tui.cli.factory import choose_environment, create_environment_store
from starchat_tui.client.local_engine import LocalEngine
from starchat_tui.config.byte_units import GIB
from starchat_tui.config.extras import EXTRAS, require_extra
from starchat_tui.config.paths import Paths, expand_user_path
from starchat_tui.config.settings import SandboxLevel, Settings, remove_credentials
from starchat_tui.errors import EngineSilent, MissingExtra
from starchat_tui.models import hardware, hub_files, registry
from starchat_tui.sandbox.environments.known import RECIPES
from starchat_tui.sandbox.environments.listing import describe_state
from starchat_tui.sandbox.isolation import landlock, probe
from starchat_tui.templates.tokenizer import Tokenizer
from starchat_tui.terminal import clipboard
from starchat_tui.terminal.image_detection import guess_protocol, has_multiplexer
from starchat_tui.terminal.images import RENDERERS

State = Literal["ok", "note", "fix"]
"""Works; works with a limit worth knowing; has to be fixed."""
_ENOUGH_DISK = GIB
"""Free bytes below which conversations and plots may soon not be stored."""
_TORCH_TIMEOUT = 120.0
"""Seconds that torch may take to list its devices."""
_REQUIRED = ("textual", "tokenizers")
_OPTIONAL = ("torch", "transformers")
_DEVICE_PROGRAM = """
import json, sys, torch
from starchat_tui.engine.models import device
chosen = device.choose_device(sys.argv[1])
card = torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else ""
dtype, free = str(device.choose_dtype(chosen)), device.get_free_bytes(chosen)
print(json.dumps([str(chosen), card, dtype, free]))
"""
"""Program of a separate process: torch takes seconds to import, and a driver may abort it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check; the field names are the keys of `--json`."""

    about: str
    state: State
    said: str
    fix: tuple[str, ...] = ()
    """Commands that fix it, in order."""


def check_versions() -> Finding:
    """Check the versions of StarChat, Python, the system and important libraries."""
    found = {name: _find_version(name) for name in (*_REQUIRED, *_OPTIONAL)}
    missing = [name for name in _REQUIRED if not found[name]]
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    text = f"StarChat {__version__}, Python {platform.python_version()}, {system}; "
    text += ", ".join(f"{name} {version or 'not installed'}" for name, version in found.items())
    fix = (f"{sys.executable} -m pip install {' '.join(missing)}",) if missing else ()
    return Finding("versions", "fix" if missing else "ok", text, fix)


def _find_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def check_extras() -> Finding:
    """Check which optional dependencies are installed."""
    missing = [name for name in EXTRAS if not _is_installed(name)]
    text = ", ".join(
        f"{name} {'not installed' if name in missing else 'installed'}" for name in EXTRAS
    )
    commands = tuple(f"pip install 'starchat-tui[{name}]'" for name in missing)
    # Few users train: a missing `train` alone is nothing to point out.
    return Finding("extras", "note" if set(missing) - {"train"} else "ok", text, commands)


def _is_installed(extra: str) -> bool:
    try:
        require_extra(extra)
    except MissingExtra:
        return False
    return True


def check_sandbox(settings: Settings) -> Finding:
    """Check which sandbox level works, by starting it."""
    if settings.sandbox == "off":
        return Finding("sandbox", "note", "off, as `sandbox` is set; code is shown, but never run")
    wanted: SandboxLevel = "auto"
    if settings.sandbox in ("isolated", "restricted"):
        wanted = "isolated" if settings.sandbox == "isolated" else "restricted"
    capability = probe.probe_sandbox(wanted)
    if capability.level == "isolated":
        name = subprocess.run(
            [capability.bwrap, "--version"], capture_output=True, text=True, check=False
        ).stdout.strip()
        text = (
            f"isolated: {name or capability.bwrap}, system call filter. {capability.reason}".strip()
        )
        return Finding(
            "sandbox", "note" if capability.reason else "ok", text, capability.fix_commands
        )
    text = f"{capability.level}: {capability.reason}"
    if capability.level == "off":
        text += " Code is shown, but never run; it can be copied and saved."
    elif landlock.get_abi_version():
        text += f" (Landlock {landlock.get_abi_version()})"
    # A weaker sandbox is no problem if the user chose it.
    requested = capability.level == "restricted" and wanted == "restricted"
    return Finding("sandbox", "note" if requested else "fix", text, capability.fix_commands)


def check_environments(settings: Settings, paths: Paths, environ: Mapping[str, str]) -> Finding:
    """Check which environments exist, and whether the one in use can run code."""
    store, chosen = create_environment_store(paths, environ), choose_environment(settings)
    states = "; ".join(
        f"{recipe.name}: {describe_state(store, recipe)}" for recipe in RECIPES.values()
    )
    text = f"code runs in {chosen}, in {store.root}. {states}"
    if store.find_interpreter(chosen) is None:
        return Finding("env", "note", text, (f"starchat env create {chosen}",))
    return Finding("env", "ok", text)


def check_terminal(environ: Mapping[str, str]) -> Finding:
    """Check what the environment says about the terminal, without writing to it."""
    term = environ.get("TERM", "")
    size = shutil.get_terminal_size()
    encoding = (sys.stdout.encoding or "").lower()
    colors = "no colors"
    if environ.get("COLORTERM") in ("truecolor", "24bit"):
        colors = "16 million colors"
    elif term not in ("", "dumb"):
        colors = "256 colors" if "256" in term else "16 colors"
    text = f"{term or 'none'}, {colors}, {encoding}"
    if sys.stdout.isatty():
        text += f", {size.columns} × {size.lines}"
    if encoding.replace("-", "") != "utf8":
        return Finding("terminal", "fix", f"{text}: not UTF-8", ("export LANG=C.UTF-8",))
    if term in ("", "dumb"):
        note = (
            "the chat opens in line mode" if term else "TERM is not set: the chat cannot open here"
        )
        return Finding("terminal", "note", f"{text}: {note}")
    if "16 m" not in colors:
        fix = ("export COLORTERM=truecolor",)
        return Finding("terminal", "note", f"{text}; if it can show more, set COLORTERM", fix)
    return Finding("terminal", "ok", text)


def check_images(settings: Settings, environ: Mapping[str, str]) -> Finding:
    """Check how plots will probably be drawn, from the name of the terminal alone."""
    if settings.images != "auto":
        return Finding("images", "ok", f"{settings.images}, as `images` is set")
    guess = RENDERERS[guess_protocol(environ)].description
    if has_multiplexer(environ):
        return Finding("images", "ok", f"{guess}: multiplexers do not pass images through")
    return Finding("images", "ok", f"probably {guess}; `--images` overrides that")


def check_clipboard(environ: Mapping[str, str]) -> Finding:
    """Check which ways lead to the clipboard."""
    names = [route.name for route in clipboard.find_routes(environ)]
    if len(names) > 1:
        return Finding("clipboard", "ok", ", then ".join(names))
    text = f"{names[0]} only: the terminal may refuse it silently"
    wayland, x11 = environ.get("WAYLAND_DISPLAY"), environ.get("DISPLAY")
    package = "wl-clipboard" if wayland else "xclip" if x11 else ""
    remote = environ.get("SSH_TTY") or environ.get("SSH_CONNECTION")
    fix = (f"sudo apt install {package}",) if package and not remote else ()
    return Finding("clipboard", "note", text, fix)


def check_engine(settings: Settings, paths: Paths) -> Finding:
    """Check whether an engine runs."""
    if settings.url:
        server = remove_credentials(settings.url)
        return Finding("engine", "ok", f"questions go to {server} (not contacted)")
    try:
        health = asyncio.run(LocalEngine(paths).inspect_engine())
    except EngineSilent as error:
        return Finding("engine", "fix", error.message, ("starchat stop",))
    if health is None:
        return Finding(
            "engine", "ok", f"not running, starts with the first question ({paths.socket})"
        )
    loaded = ", ".join(health.models) or "no model"
    text = f"{health.version}, process {health.pid}, {health.state}, {loaded} loaded"
    if health.version != __version__:
        return Finding("engine", "note", f"{text}; its version differs", ("starchat stop",))
    return Finding("engine", "ok", text)


def check_model(settings: Settings) -> Finding:
    """Check the model that answers, and name a larger one that fits."""
    if settings.url:
        return Finding("model", "ok", f"{settings.model}, provided by the server")
    found = registry.find_model(settings.model)
    fits = hardware.recommend_model(hardware.detect_machine())
    if found.demo and not found.is_local:
        return Finding("model", "fix", f"the demo model {found.name} is missing", ("make nano",))
    where = f"in {found.weights}" if found.is_local else f"from the Hub, {found.weights}"
    if found.demo:
        return Finding("model", "ok", f"{found.name}, a very small demo. {fits}")
    return Finding("model", "ok", f"{found.name} {where}. {fits}")


def check_tokenizer(settings: Settings) -> Finding:
    """Check that the tokenizer restores text exactly; nothing is downloaded for it."""
    if settings.tokenizer:
        path = expand_user_path(settings.tokenizer)
    elif settings.url:
        fix = ("starchat --url URL --tokenizer FILE",)
        return Finding("tokenizer", "fix", "the server's tokenizer is unknown", fix)
    else:
        found = registry.find_model(settings.model)
        if not found.is_local:
            return Finding("tokenizer", "ok", "downloaded from the Hub with the first question")
        path = hub_files.find_model_file(found, "tokenizer.json")
    loaded = Tokenizer.load(path)
    sample = "def f(x):\n    return x  # é ☃\n"
    if loaded.decode(loaded.encode(sample)) != sample:
        return Finding("tokenizer", "note", f"{path} does not restore text exactly")
    return Finding("tokenizer", "ok", f"{path.name} of {path.parent.name}, restores text exactly")


def check_memory() -> Finding:
    """Check the main memory."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = _read_available_memory()
    text = f"{total / GIB:.1f} GB" + (f", {free / GIB:.1f} GB available" if free else "")
    if free and free < GIB // 2:
        return Finding("memory", "note", f"{text}: too little for the engine and a run")
    return Finding("memory", "ok", text)


def _read_available_memory() -> int:
    """Return the bytes available without swapping; 0 if the system does not tell."""
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


def check_data(paths: Paths) -> Finding:
    """Check that only the user can read the conversations, and the free disk space."""
    if not os.access(paths.data, os.W_OK):
        text = f"{paths.data} cannot be written: only `starchat -n` answers, and keeps nothing"
        return Finding("data", "fix", text)
    fix = tuple(f"chmod {mode} {path}" for path, mode in _find_exposed_paths(paths))
    if fix:
        return Finding("data", "fix", f"other users can read {paths.data}", fix)
    free = shutil.disk_usage(paths.data).free
    used = paths.database.stat().st_size if paths.database.exists() else 0
    text = f"{paths.data}, private; {used / 2**20:.1f} MB used, {free / GIB:.1f} GB free"
    return Finding("data", "note" if free < _ENOUGH_DISK else "ok", text)


def _find_exposed_paths(paths: Paths) -> Iterator[tuple[Path, str]]:
    """Yield the paths that other users can enter or read, with the mode each should have."""
    folders = (paths.config, paths.data, paths.state, paths.cache, paths.runtime)
    files = [path for path in paths.data.iterdir() if path.name.startswith(paths.database.name)]
    for path in (*folders, *files):
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield path, "700" if path.is_dir() else "600"


@contextmanager
def probe_torch(name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that prints the engine's device; it is ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", _DEVICE_PROGRAM, name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # The same package as this one, wherever it was imported from.
        cwd=Path(__file__).parents[2],
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def check_device(torch_probe: subprocess.Popen[bytes]) -> Finding:
    """Check the device on which the engine would compute."""
    if not _find_version("torch"):
        return Finding("device", "note", "torch is not installed; use a server with `--url`")
    try:
        output, errors = torch_probe.communicate(timeout=_TORCH_TIMEOUT)
    except subprocess.TimeoutExpired:
        return Finding("device", "fix", f"torch did not answer within {_TORCH_TIMEOUT:g} s")
    if torch_probe.returncode:
        last = errors.decode(errors="replace").strip().rpartition("\n")[2]
        fix = ("starchat doctor --device cpu",)
        return Finding("device", "fix", last or "torch does not work", fix)
    name, card, dtype, free = json.loads(output.splitlines()[-1])
    kind = f"{name} ({card})" if card else name
    text = f"{kind}, {dtype.removeprefix('torch.')}, {free / GIB:.1f} GB for weights"
    return Finding("device", "ok", text)

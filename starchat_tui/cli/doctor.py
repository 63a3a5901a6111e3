"""What works on this machine, and what to type about the rest.

Looks, and changes nothing: no engine is started, no file fetched, no question put to the terminal.
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
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from starchat_tui import __version__
from starchat_tui.client.local_engine import LocalEngine
from starchat_tui.errors import StarChatError
from starchat_tui.models import registry
from starchat_tui.paths import typed
from starchat_tui.sandbox.isolation import landlock, probe
from starchat_tui.sanitize import clean
from starchat_tui.settings import Paths, Settings
from starchat_tui.templates.tokenizer import Vocabulary
from starchat_tui.terminal import clipboard

State = Literal["ok", "note", "mend"]
"""All is well; worth knowing; something is to be done."""
GIB = 2**30
_ENOUGH_DISK = GIB
"""Free bytes below which conversations and plots may soon not be kept."""
_PATIENCE = 120.0
"""Seconds torch may take to say which devices it sees."""
_LIBRARIES = ("textual", "torch", "transformers", "tokenizers", "IPython", "matplotlib")
_DEVICE = """
import json, sys, torch
from starchat_tui.engine.models import device
chosen = device.choose(sys.argv[1])
card = torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else ""
number_format, free = str(device.number_format(chosen)), device.free_memory(chosen)
print(json.dumps([str(chosen), card, number_format, free]))
"""
"""Run in a process of its own: torch takes seconds to import, and a driver may abort."""
_WIDTH, _INDENT = 100, 17
"""Columns of the screen, and those before what is said."""
_COLORS = {"ok": "32", "note": "33", "mend": "31"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one thing."""

    about: str
    state: State
    said: str
    fix: tuple[str, ...] = ()
    """What to type, in its order."""


def examine(settings: Settings, paths: Paths, environ: Mapping[str, str]) -> list[Finding]:
    """Look at everything; what takes long is begun first."""
    with _ask_torch(settings.device) as asked:
        looks: tuple[tuple[str, Callable[[], Finding]], ...] = (
            ("versions", versions),
            ("sandbox", lambda: sandbox(settings)),
            ("terminal", lambda: terminal(environ)),
            ("images", lambda: images(settings, environ)),
            ("clipboard", lambda: copying(environ)),
            ("engine", lambda: engine(settings, paths)),
            ("model", lambda: model(settings)),
            ("tokenizer", lambda: tokenizer(settings)),
            ("memory", memory),
            ("data", lambda: data(paths)),
            ("device", lambda: device(asked)),
        )
        return [_looked(about, look) for about, look in looks]


def _looked(about: str, look: Callable[[], Finding]) -> Finding:
    """What `look` found; what keeps it from looking is itself a finding."""
    try:
        return look()
    except StarChatError as error:
        return Finding(about, "mend", f"{error.message}: {error.hint}".removesuffix(": "))
    except OSError as error:
        return Finding(about, "mend", str(error))


def screen(findings: Sequence[Finding], *, color: bool) -> str:
    """The findings for a reader, a line each, and below it what to type."""
    lines = []
    for found in findings:
        mark = f"{found.state:<4}"
        if color:
            mark = f"\x1b[{_COLORS[found.state]}m{mark}\x1b[0m"
        said = textwrap.wrap(clean(found.said).replace("\n", " "), _WIDTH - _INDENT) or [""]
        lines.append(f"{mark}  {found.about:<10} {said[0]}")
        lines += [f"{'':{_INDENT}}{line}" for line in said[1:]]
        if found.state != "ok":
            # In one piece, however long: it is there to be copied.
            lines += [f"{'':{_INDENT}}$ {clean(command)}" for command in found.fix]
    mend = [found.about for found in findings if found.state == "mend"]
    lines += ["", f"To mend: {', '.join(mend)}." if mend else "All is well."]
    return "\n".join(lines)


def as_json(findings: Sequence[Finding]) -> str:
    """The findings as one JSON object; `ok` where there is nothing to mend."""
    document = {"ok": healthy(findings), "findings": [asdict(found) for found in findings]}
    return json.dumps(document, ensure_ascii=False)


def healthy(findings: Sequence[Finding]) -> bool:
    """Whether there is nothing to mend."""
    return all(found.state != "mend" for found in findings)


def versions() -> Finding:
    """Ours, Python's, the system's, and those of the libraries that matter."""
    found = {name: _version(name) for name in _LIBRARIES}
    missing = [name for name, version in found.items() if not version]
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    said = f"StarChat {__version__}, Python {platform.python_version()}, {system}; "
    said += ", ".join(f"{name} {version or 'missing'}" for name, version in found.items())
    fix = (f"{sys.executable} -m pip install {' '.join(missing)}",) if missing else ()
    return Finding("versions", "mend" if missing else "ok", said, fix)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def sandbox(settings: Settings) -> Finding:
    """Which wall stands around code, found by putting it up."""
    if settings.sandbox == "off":
        return Finding("sandbox", "note", "off: `sandbox` is set so; code is shown, never run")
    wanted: probe.Wanted = "auto"
    if settings.sandbox in ("isolated", "restricted"):
        wanted = "isolated" if settings.sandbox == "isolated" else "restricted"
    verdict = probe.probe(wanted)
    if verdict.level == "isolated":
        name = subprocess.run(
            [verdict.bwrap, "--version"], capture_output=True, text=True, check=False
        ).stdout.strip()
        said = f"isolated: {name or verdict.bwrap}, system call filter. {verdict.why}".strip()
        return Finding("sandbox", "note" if verdict.why else "ok", said, verdict.fix)
    said = f"{verdict.level}: {verdict.why}"
    if verdict.level == "off":
        said += " Code is shown, never run; copying and saving it work."
    elif landlock.version():
        said += f" (Landlock {landlock.version()})"
    wished = verdict.level == "restricted" and wanted == "restricted"
    return Finding("sandbox", "note" if wished else "mend", said, verdict.fix)


def terminal(environ: Mapping[str, str]) -> Finding:
    """What the terminal says it can do; it is not asked, since that writes to it."""
    term = environ.get("TERM", "")
    size = shutil.get_terminal_size()
    encoding = (sys.stdout.encoding or "").lower()
    colors = "no colours"
    if environ.get("COLORTERM") in ("truecolor", "24bit"):
        colors = "16 million colours"
    elif term not in ("", "dumb"):
        colors = "256 colours" if "256" in term else "16 colours"
    said = f"{term or 'none'}, {colors}, {encoding}"
    if sys.stdout.isatty():
        said += f", {size.columns} × {size.lines}"
    if encoding.replace("-", "") != "utf8":
        return Finding("terminal", "mend", f"{said}: not UTF-8", ("export LANG=C.UTF-8",))
    if term in ("", "dumb"):
        note = "the chat opens line by line" if term else "no TERM: the chat cannot open here"
        return Finding("terminal", "note", f"{said}: {note}")
    if "16 m" not in colors:
        fix = ("export COLORTERM=truecolor",)
        return Finding("terminal", "note", f"{said}: if it can show more, say so", fix)
    return Finding("terminal", "ok", said)


def images(settings: Settings, environ: Mapping[str, str]) -> Finding:
    """How plots are likely to be drawn, by the name of the terminal alone."""
    program, term = environ.get("TERM_PROGRAM", "").lower(), environ.get("TERM", "")
    if settings.images != "auto":
        return Finding("images", "ok", f"{settings.images}, as `images` is set")
    if environ.get("TMUX") or environ.get("STY") or term.startswith(("screen", "tmux")):
        return Finding("images", "ok", "half-blocks: a multiplexer passes no pictures through")
    if environ.get("KITTY_WINDOW_ID") or program in ("ghostty", "wezterm") or "kitty" in term:
        return Finding("images", "ok", "probably kitty's pictures")
    if term.startswith(("foot", "mlterm", "contour", "yaft")) or program == "iterm.app":
        return Finding("images", "ok", "probably sixels")
    return Finding("images", "ok", "probably half-blocks; `--images kitty` or `sixel` insists")


def copying(environ: Mapping[str, str]) -> Finding:
    """The ways to a clipboard."""
    names = [route.name for route in clipboard.routes(environ)]
    if len(names) > 1:
        return Finding("clipboard", "ok", ", then ".join(names))
    said = f"{names[0]} alone: the terminal may refuse it without a word"
    wayland, x11 = environ.get("WAYLAND_DISPLAY"), environ.get("DISPLAY")
    package = "wl-clipboard" if wayland else "xclip" if x11 else ""
    remote = environ.get("SSH_TTY") or environ.get("SSH_CONNECTION")
    fix = (f"sudo apt install {package}",) if package and not remote else ()
    return Finding("clipboard", "note", said, fix)


def engine(settings: Settings, paths: Paths) -> Finding:
    """Whether an engine runs; none is started."""
    if settings.url:
        return Finding("engine", "ok", f"a server elsewhere, {settings.url} (not asked)")
    health = asyncio.run(LocalEngine(paths).health())
    if health is None:
        return Finding("engine", "ok", f"none runs; the first question starts it ({paths.socket})")
    loaded = ", ".join(health.models) or "no model"
    said = f"{health.version}, process {health.pid}, {health.state}, {loaded} loaded"
    if health.version != __version__:
        return Finding("engine", "note", f"{said}; it is of another version", ("starchat stop",))
    return Finding("engine", "ok", said)


def model(settings: Settings) -> Finding:
    """The model that answers, and what larger one would fit."""
    if settings.url:
        return Finding("model", "ok", f"{settings.model}, as the server has it")
    found = registry.resolve(settings.model)
    fits = registry.advice(registry.machine())
    if found.demo and not found.local:
        return Finding("model", "mend", f"the demo model {found.name} is missing", ("make nano",))
    where = f"in {found.weights}" if found.local else f"from the Hub, {found.weights}"
    if found.demo:
        return Finding("model", "ok", f"{found.name}, a very small demo. {fits}")
    return Finding("model", "ok", f"{found.name} {where}. {fits}")


def tokenizer(settings: Settings) -> Finding:
    """Whether text becomes ids and back; a model on the Hub is not fetched for it."""
    if settings.tokenizer:
        path = typed(settings.tokenizer)
    elif settings.url:
        fix = ("starchat --url URL --tokenizer FILE",)
        return Finding("tokenizer", "mend", "that of the server is not known here", fix)
    else:
        found = registry.resolve(settings.model)
        if not found.local:
            return Finding("tokenizer", "ok", "comes from the Hub with the first question")
        path = registry.local_file(found, "tokenizer.json")
    vocabulary = Vocabulary.load(path)
    text = "def f(x):\n    return x  # é ☃\n"
    if vocabulary.decode(vocabulary.text_ids(text)) != text:
        return Finding("tokenizer", "note", f"{path} does not give text back as it was")
    return Finding("tokenizer", "ok", f"{path.name} of {path.parent.name}, gives text back exactly")


def memory() -> Finding:
    """Main memory, all of it and what is free."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = _available()
    said = f"{total / GIB:.1f} GB" + (f", {free / GIB:.1f} GB of it available" if free else "")
    if free and free < GIB // 2:
        return Finding("memory", "note", f"{said}: too little for a run and an engine")
    return Finding("memory", "ok", said)


def _available() -> int:
    """Bytes that can be had without swapping; 0 where the system does not say."""
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


def data(paths: Paths) -> Finding:
    """Whether the conversations are the user's alone, and have room."""
    fix = tuple(f"chmod {mode} {path}" for path, mode in _open_to_others(paths))
    if fix:
        return Finding("data", "mend", f"others may read what lies in {paths.data}", fix)
    free = shutil.disk_usage(paths.data).free
    kept = paths.database.stat().st_size if paths.database.exists() else 0
    said = f"{paths.data}, yours alone; {kept / 2**20:.1f} MB kept, {free / GIB:.1f} GB free"
    return Finding("data", "note" if free < _ENOUGH_DISK else "ok", said)


def _open_to_others(paths: Paths) -> Iterator[tuple[Path, str]]:
    """What others may enter or read, and the mode it should have."""
    folders = (paths.config, paths.data, paths.state, paths.cache, paths.runtime)
    files = [path for path in paths.data.iterdir() if path.name.startswith(paths.database.name)]
    for path in (*folders, *files):
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield path, "700" if path.is_dir() else "600"


@contextmanager
def _ask_torch(name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that says where the engine would compute; ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", _DEVICE, name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # The same package as this one, wherever that was imported from.
        cwd=Path(__file__).parents[2],
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def device(asked: subprocess.Popen[bytes]) -> Finding:
    """Where the engine computes, as torch has it."""
    try:
        told, trouble = asked.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return Finding("device", "mend", f"torch did not answer in {_PATIENCE:g} s")
    if asked.returncode:
        last = trouble.decode(errors="replace").strip().rpartition("\n")[2]
        fix = ("starchat doctor --device cpu",)
        return Finding("device", "mend", last or "torch cannot be used", fix)
    name, card, number_format, free = json.loads(told.splitlines()[-1])
    kind = f"{name} ({card})" if card else name
    said = f"{kind}, {number_format.removeprefix('torch.')}, {free / GIB:.1f} GB for weights"
    return Finding("device", "ok", said)

"""Every knob, typed, read once at the door: flag > STARCHAT_* > config.toml > default."""

from __future__ import annotations

import difflib
import os
import re
import stat
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from starchat_tui.errors import ConfigError
from starchat_tui.paths import typed


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user may choose."""

    model: str = "nano-chat"
    """The model: a known name, a folder, or a Hub id."""
    chat_model: str = ""
    """The model of `chat` mode, where it is not `model` or its partner."""
    ta_model: str = ""
    """The model of `ta` mode, where it is not `model` or its partner."""
    mode: str = ""
    """`chat` (fine-tuned) or `ta` (few-shot prompt); by default what the model is made for."""
    system: str = ""
    """The system text; `@NAME` takes it from a prompt file (`@starchat` is ours)."""
    prompt: str = "ta"
    """The few-shot prompt of `ta` mode: ta, hhh, a file, or OWNER/REPO/FILE.txt on the Hub."""
    tokenizer: str = ""
    """A tokenizer.json, where it does not lie beside the weights (needed with `url`)."""
    window: int = 0
    """Context length in tokens, where the model does not say it; 0 asks the model."""
    temperature: float = 0.2
    """0 takes the likeliest token; higher is more varied."""
    top_p: float = 0.95
    """The probability mass tokens are drawn from, 0 to 1."""
    top_k: int = 50
    """The number of likeliest tokens drawn from; 0 is all."""
    repetition_penalty: float = 1.0
    """Above 1, tokens that occurred already become less likely."""
    max_tokens: int = 1024
    """The longest answer, in tokens."""
    seed: int | None = None
    """Makes sampling repeatable."""
    stop: tuple[str, ...] = ()
    """Texts that end the answer, besides the mode's own."""
    url: str = ""
    """An OpenAI-compatible server to use instead of the local engine."""
    token: str = ""
    """The bearer token of that server."""
    device: str = "auto"
    """Where the local engine computes: auto, cuda:N, mps or cpu."""
    quantize: str = "none"
    """Weights of the local engine: none, int8 or int4."""
    keep_alive: str = "10m"
    """How long the local engine stays when nobody asks: 30s, 10m, 2h; -1 is for ever."""
    daemon: bool = True
    """Whether the engine outlives the command that started it."""
    log: bool = True
    """Whether the conversation is kept."""
    stats: bool = True
    """Whether token counts and speed are shown."""
    sandbox: str = "auto"
    """The wall around code that is run: auto, isolated, restricted, or off (nothing is run)."""
    strict: bool = False
    """Whether code runs without the names and aliases that older snippets expect."""
    run_timeout: float = 60.0
    """Seconds a run may take."""
    run_memory: str = "2G"
    """Memory a run may take: bytes, or with K, M, G."""
    images: str = "auto"
    """How plots are drawn: auto, kitty, sixel, half, unicode, or off."""
    color: str = "auto"
    """auto, always or never."""
    accessible: bool = False
    """Line mode with labels instead of marks, for screen readers; also where ACCESSIBLE is set."""
    theme: str = "starchat-dark"
    """The theme of the screen."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Where files live; every directory exists and is the user's alone (0700)."""

    config: Path
    data: Path
    state: Path
    cache: Path
    runtime: Path

    @property
    def socket(self) -> Path:
        """Where the engine listens."""
        return self.runtime / "engine.sock"

    @property
    def engine_lock(self) -> Path:
        """Held while an engine is started, so that only one is."""
        return self.runtime / "engine.lock"

    @property
    def engine_log(self) -> Path:
        """The engine's last words."""
        return self.state / "logs" / "engine.log"

    @property
    def database(self) -> Path:
        """The conversations."""
        return self.data / "chats.db"

    @property
    def plots(self) -> Path:
        """The pictures that were saved."""
        return self.data / "plots"

    @property
    def draft(self) -> Path:
        """The question being typed."""
        return self.state / "draft.md"

    @property
    def input_history(self) -> Path:
        """The questions typed before, one JSON text a line."""
        return self.state / "history.jsonl"


def find_paths(environ: Mapping[str, str]) -> Paths:
    """The directories: under STARCHAT_HOME, else where XDG says, else the platform's own."""
    home = environ.get("STARCHAT_HOME")
    if home:
        root = typed(home).absolute()
        names = ("config", "data", "state", "cache", "run")
        found = [root / name for name in names]
        found[4] = _short(found[4])
    else:
        kinds = ("config", "data", "state", "cache")
        found = [_platform(environ, kind) for kind in kinds]
        found.append(_runtime(environ))
    for directory in found:
        private(directory)
    return Paths(*found)


def _platform(environ: Mapping[str, str], kind: str) -> Path:
    root = environ.get(f"XDG_{kind.upper()}_HOME", "")
    if root.startswith("/"):
        return Path(root) / "starchat"
    import platformdirs

    return Path(getattr(platformdirs, f"user_{kind}_dir")("starchat", appauthor=False))


def _runtime(environ: Mapping[str, str]) -> Path:
    root = environ.get("XDG_RUNTIME_DIR", "")
    if root.startswith("/") and os.access(root, os.W_OK):
        return _short(Path(root) / "starchat")
    return Path(tempfile.gettempdir()) / f"starchat-{os.getuid()}"


def _short(directory: Path) -> Path:
    """The directory itself, or a short stand-in: a Unix socket's path holds 107 bytes at most."""
    if len(os.fsencode(directory)) <= 90:
        return directory
    import hashlib

    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"starchat-{os.getuid()}-{digest}"


def private(directory: Path) -> Path:
    """Make `directory` with mode 0700; raises `ConfigError` where it is somebody else's."""
    hint = "set STARCHAT_HOME to a directory of yours"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat(follow_symlinks=True)
        if found.st_uid != os.getuid():
            raise ConfigError(f"`{directory}` belongs to another user", hint)
        if stat.S_IMODE(found.st_mode) & 0o077:
            directory.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"`{directory}` cannot be used ({error.strerror})", hint) from error
    return directory


def read(
    flags: Mapping[str, Any], environ: Mapping[str, str], defaults: Mapping[str, Any] | None = None
) -> tuple[Settings, Paths]:
    """The settings and the paths, as this process has them."""
    paths = find_paths(environ)
    file = Path(environ.get("STARCHAT_CONFIG") or paths.config / "config.toml")
    return load(flags, environ, file, defaults), paths


def load(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    file: Path,
    defaults: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings; raises `ConfigError` that names the source, the key and what was expected.

    `defaults` hold where nobody chose, and come before those of `Settings`.
    """
    known = {field.name: str(field.type) for field in fields(Settings)}
    chosen: dict[str, Any] = dict(defaults or {})
    for name, value in _from_file(file).items():
        if name not in known:
            raise ConfigError(f"Unknown key `{name}` in `{file}`", _nearest(name, known))
        chosen[name] = _value(value, known[name], f"`{name}` in `{file}`")
    for name, kind in known.items():
        given = environ.get(f"STARCHAT_{name.upper()}")
        if given is not None:
            chosen[name] = _value(given, kind, f"STARCHAT_{name.upper()}")
    if environ.get("ACCESSIBLE"):
        chosen.setdefault("accessible", True)
    chosen |= {name: value for name, value in flags.items() if value is not None}
    settings = Settings(**chosen)
    _check(settings)
    return settings


def colored(color: str, environ: Mapping[str, str]) -> bool:
    """Whether stdout gets colours: the flag, then NO_COLOR and FORCE_COLOR, then a terminal."""
    if color != "auto":
        return color == "always"
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return bool(environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def _from_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"`{file}` cannot be read ({error})", "mend or move it") from error


def _nearest(name: str, known: Mapping[str, str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean `{close[0]}`?" if close else f"known are {', '.join(sorted(known))}"


_TRUTH = {"1": True, "true": True, "yes": True, "on": True}
_FALSEHOOD = {"0": False, "false": False, "no": False, "off": False}


def _truth(value: object) -> bool:
    return {**_TRUTH, **_FALSEHOOD}[str(value).lower()]


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


_KINDS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "str": (str, "a text"),
    "int": (int, "a whole number"),
    "int | None": (int, "a whole number"),
    "float": (float, "a number"),
    "bool": (_truth, "true or false"),
    "tuple[str, ...]": (_texts, "a text or a list of texts"),
}


def _value(given: object, kind: str, source: str) -> Any:
    convert, expected = _KINDS[kind]
    try:
        return convert(given)
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{source} is {given!r}", f"it must be {expected}") from error


_RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 100),
    "top_p": (0, 1),
    "top_k": (0, 1e9),
    "repetition_penalty": (0.01, 100),
    "max_tokens": (1, 1e9),
    "window": (0, 1e9),
    "run_timeout": (0.1, 86400),
}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "mode": ("", "chat", "ta"),
    "color": ("auto", "always", "never"),
    "quantize": ("none", "int8", "int4"),
    "sandbox": ("auto", "isolated", "restricted", "off"),
    "images": ("auto", "kitty", "sixel", "half", "unicode", "off"),
}


def _check(settings: Settings) -> None:
    for name, (low, high) in _RANGES.items():
        value = getattr(settings, name)
        if not low <= value <= high:
            raise ConfigError(f"`{name}` is {value}", f"it is a number from {low:g} to {high:g}")
    for name, choices in _CHOICES.items():
        value = getattr(settings, name)
        if value not in choices:
            known = ", ".join(choice for choice in choices if choice)
            raise ConfigError(f"`{name}` is {value!r}", f"it is one of {known}")
    byte_count(settings.run_memory)


_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kKmMgG]?)i?[bB]?", re.ASCII)
LEAST_MEMORY = 128 * 2**20
"""Bytes below which no plot can be drawn."""


def byte_count(text: str) -> int:
    """The bytes that `512M` or `2G` stand for; raises `ConfigError`."""
    found = _SIZE.fullmatch(text.strip())
    count = int(float(found[1]) * 1024 ** " KMG".index(found[2].upper() or " ")) if found else 0
    if not LEAST_MEMORY <= count < 2**50:
        raise ConfigError(f"`{text}` is no amount of memory for a run", "give `512M`, `2G` or more")
    return count

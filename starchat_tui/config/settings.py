"""Settings of the program: flag > STARCHAT_* variable > config.toml > default."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from starchat_tui.config.config_file import Range, get_keys, parse_file_values
from starchat_tui.config.paths import Paths, find_paths
from starchat_tui.dialogue import Mode
from starchat_tui.errors import ConfigError

ColorChoice = Literal["auto", "always", "never"]
Quantization = Literal["none", "int8", "int4"]
QuantizationChoice = Literal["auto", Quantization]
"""`auto` quantizes as little as the memory of the device allows."""
SandboxLevel = Literal["auto", "isolated", "restricted", "off"]
KnownEnvironment = Literal["2023", "current"]
ImageProtocol = Literal["kitty", "sixel", "octant", "sextant", "half", "unicode", "off"]
ImageChoice = Literal["auto", ImageProtocol]

MIN_RUN_MEMORY = 128 * 2**20
"""Bytes without which no plot can be drawn."""
_MAX_RUN_MEMORY = 2**50
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kKmMgG]?)i?[bB]?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a user may choose."""

    model: str = "nano-chat"
    """Model: a known name, a folder, or a Hub id."""
    chat_model: str = ""
    """Model of `chat` mode, if it is not `model` or its partner."""
    ta_model: str = ""
    """Model of `ta` mode, if it is not `model` or its partner."""
    mode: Mode | Literal[""] = ""
    """`chat` (fine-tuned) or `ta` (few-shot prompt); by default the one the model is made for."""
    system: str = ""
    """System prompt; `@NAME` reads it from a prompt file (`@starchat` is built in)."""
    prompt: str = "ta"
    """Few-shot prompt of `ta` mode: ta, hhh, a file, or OWNER/REPO/FILE.txt on the Hub."""
    tokenizer: str = ""
    """Path of a tokenizer.json that does not lie beside the weights (needed with `url`)."""
    window: Annotated[int, Range(0, 1e9)] = 0
    """Context length in tokens; 0 takes the model's own."""
    temperature: Annotated[float, Range(0, 100)] = 0.2
    """0 takes the most likely token; higher values are more varied."""
    top_p: Annotated[float, Range(0, 1)] = 0.95
    """Probability mass that tokens are sampled from, 0 to 1."""
    top_k: Annotated[int, Range(0, 1e9)] = 50
    """Number of most likely tokens that are sampled from; 0 is all."""
    repetition_penalty: Annotated[float, Range(0.01, 100)] = 1.0
    """Above 1, tokens that have already occurred become less likely."""
    max_tokens: Annotated[int, Range(1, 1e9)] = 1024
    """Maximum length of an answer in tokens."""
    seed: int | None = None
    """Seed that makes sampling repeatable."""
    stop: tuple[str, ...] = ()
    """Texts that end an answer, besides the mode's own."""
    url: str = ""
    """OpenAI-compatible server to use instead of the local engine."""
    token: str = ""
    """Bearer token of that server."""
    device: str = "auto"
    """Device of the local engine: auto, cuda:N, mps or cpu."""
    quantize: QuantizationChoice = "none"
    """Quantization of the local engine's weights."""
    keep_alive: str = "10m"
    """Idle time after which the local engine exits: 30s, 10m, 2h; -1 is never."""
    daemon: bool = True
    """Let the engine outlive the command that started it."""
    log: bool = True
    """Save conversations."""
    stats: bool = True
    """Show token counts and speed."""
    sandbox: SandboxLevel = "auto"
    """Isolation of code that is run; `off` runs none."""
    env: str = "auto"
    """Environment of code: 2023, current, or a virtual environment; `auto` is the model's own."""
    strict: bool = False
    """Run code without the names and aliases that older snippets expect."""
    run_timeout: Annotated[float, Range(0.1, 86400)] = 60.0
    """Time limit of a run in seconds."""
    run_memory: str = "2G"
    """Memory limit of a run: bytes, or with K, M, G."""
    images: ImageChoice = "auto"
    """Protocol that draws plots in the terminal; `auto` asks the terminal, `off` draws none."""
    color: ColorChoice = "auto"
    """Colors in the output; `auto` follows the terminal and NO_COLOR."""
    accessible: bool = False
    """Line mode with labels instead of symbols, for screen readers; also set by ACCESSIBLE."""
    theme: str = "starchat-dark"
    """Theme of the screen."""


def load_settings_and_paths(
    flags: Mapping[str, Any], environ: Mapping[str, str], defaults: Mapping[str, Any] | None = None
) -> tuple[Settings, Paths]:
    """Return the settings and the directories of this process; see `load_settings`."""
    paths = find_paths(environ)
    return load_settings(flags, environ, find_config_file(environ, paths), defaults), paths


def find_config_file(environ: Mapping[str, str], paths: Paths) -> Path:
    """Return the path of the user's config.toml, which need not exist."""
    return Path(environ.get("STARCHAT_CONFIG") or paths.config / "config.toml")


def load_settings(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    file: Path,
    defaults: Mapping[str, Any] | None = None,
) -> Settings:
    """Merge the sources of settings; raise `ConfigError` for a value that is not accepted.

    Args:
        flags: Values of the command line; None for a flag that was not given.
        environ: The process environment.
        file: A config.toml, which need not exist.
        defaults: Values to use where no source has one, instead of those of `Settings`.
    """
    chosen: dict[str, Any] = dict(defaults or {})
    chosen |= _read_file(file)
    for name, key in get_keys(Settings).items():
        variable = f"STARCHAT_{name.upper()}"
        if variable in environ:
            chosen[name] = key.parse_value(environ[variable], label=variable)
        # A variable that is common to several programs counts less than one of ours.
        if name == "accessible" and environ.get("ACCESSIBLE"):
            chosen.setdefault(name, True)
        if flags.get(name) is not None:
            chosen[name] = key.parse_value(flags[name], "on the command line")
    settings = Settings(**chosen)
    # It is parsed again when a kernel is created, but a mistake must not wait until then.
    parse_memory_size(settings.run_memory)
    return settings


def _read_file(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        import tomllib  # 5 ms, which most users, who have no such file, need not wait for

        values = tomllib.loads(text)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"`{file}` cannot be read ({error})", "correct or remove it") from error
    return parse_file_values(Settings, values, file, text)


def should_use_color(choice: ColorChoice, environ: Mapping[str, str]) -> bool:
    """Return whether stdout is colored.

    `auto` follows NO_COLOR (https://no-color.org) and FORCE_COLOR, then whether it is a terminal.
    """
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return bool(environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def parse_memory_size(text: str) -> int:
    """Return the bytes in a size such as `512M` or `2G`; raise `ConfigError` if it is none."""
    found = _SIZE.fullmatch(text.strip())
    count = int(float(found[1]) * 1024 ** " KMG".index(found[2].upper() or " ")) if found else 0
    if not MIN_RUN_MEMORY <= count < _MAX_RUN_MEMORY:
        raise ConfigError(
            f"`{text}` is not an amount of memory for a run", "use `512M`, `2G` or more"
        )
    return count


def remove_credentials(url: str) -> str:
    """Return a URL as it may be shown: without the name and password that it may hold."""
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}" if mark else url

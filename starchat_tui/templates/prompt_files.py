"""The prompt texts: those that come with the package, the user's own, and published ones."""

from __future__ import annotations

import os
import re
from importlib.resources import files
from pathlib import Path

from starchat_tui.errors import ConfigError
from starchat_tui.paths import typed
from starchat_tui.templates.template import FewShot

_DIVIDER = re.compile(r"^-----[ \t]*$", re.MULTILINE)
_PUBLISHED = re.compile(r"^(?!\.)(?P<repo>(?:datasets/)?[\w.-]+/[\w.-]+)/(?P<file>.+\.(?:md|txt))$")


def text_of(name: str) -> str:
    """The text called `name`: one of ours, a file, or `[datasets/]OWNER/REPO/FILE.txt` on the Hub.

    A file that lies about with the bare name of one of ours does not replace it: name it `./ta`.
    """
    ours = _ours()
    if name in ours:
        return _read(ours[name])
    path = typed(name)
    if os.path.isfile(path):
        return _read(path)
    published = _PUBLISHED.match(name)
    if published:
        return _read(_download(published["repo"], published["file"]))
    raise ConfigError(
        f"No prompt called `{name}`",
        f"name a file, one of {', '.join(sorted(ours))}, or one on the Hub as OWNER/REPO/FILE.txt",
    )


def few_shot(name: str) -> FewShot:
    """The few-shot prompt called `name`, parsed: a preamble, then dialogues between dashes."""
    return parse(text_of(name), name)


def parse(text: str, name: str = "the prompt") -> FewShot:
    """A few-shot prompt from its text."""
    preamble, *examples = (part.strip() for part in _DIVIDER.split(text))
    kept = tuple(example for example in examples if example)
    for number, example in enumerate(kept, start=1):
        if not example.startswith("Human:") or "\nAssistant:" not in example:
            raise ConfigError(
                f"Dialogue {number} of `{name}` has no Human and Assistant",
                "each dialogue is lines `Human: …` and `Assistant: …`, divided by a line -----",
            )
    if not preamble:
        raise ConfigError(
            f"`{name}` has no preamble", "say who the assistant is before the first -----"
        )
    return FewShot(preamble, kept)


def _ours() -> dict[str, Path]:
    return {entry.stem: entry for entry in _folder().glob("*.md")}


def _folder() -> Path:
    packaged = Path(str(files("starchat_tui") / "_prompts"))
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "prompts"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"`{path}` cannot be read ({error})", "it must be a UTF-8 text"
        ) from error


def _download(repo: str, file: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    kind = "dataset" if repo.startswith("datasets/") else "model"
    try:
        return Path(hf_hub_download(repo.removeprefix("datasets/"), file, repo_type=kind))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise ConfigError(
            f"The prompt `{repo}/{file}` cannot be fetched ({type(error).__name__})",
            "look at the name and the connection, or save the file and name its path",
        ) from error

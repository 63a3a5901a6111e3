"""Prompt files: those of the package, the user's own, and published ones.

A prompt file is Markdown or plain text. The `ta` and `hhh` prompts are ours; the format of a
few-shot prompt is described in `few_shot`.
"""

from __future__ import annotations

import os
import re
from importlib.resources import files
from pathlib import Path

from starchat_tui.config.hub_connection import is_hub_unreachable
from starchat_tui.config.paths import expand_user_path
from starchat_tui.config.text_file import read_text
from starchat_tui.errors import ConfigError, UsageError
from starchat_tui.templates.few_shot import FewShotPrompt

_DIVIDER = re.compile(r"^-----[ \t]*$", re.MULTILINE)
_PUBLISHED = re.compile(r"^(?!\.)(?P<repo>(?:datasets/)?[\w.-]+/[\w.-]+)/(?P<file>.+\.(?:md|txt))$")


def read_prompt_text(name: str) -> str:
    """Return the text of a prompt: of the package, of a file, or of a file on the Hub.

    The latter is `[datasets/]OWNER/REPO/FILE.txt`. A prompt of the package comes before a file of
    the same name in the working directory, which can be named `./ta`, so that a stray file does not
    replace it. Raises `ConfigError` if there is none.
    """
    packaged = _list_packaged()
    if name in packaged:
        return _read_text(packaged[name])
    path = expand_user_path(name)
    if os.path.isfile(path):
        return _read_text(path)
    published = _PUBLISHED.match(name)
    if published:
        return _read_text(_download_prompt(published["repo"], published["file"]))
    names = ", ".join(sorted(packaged))
    raise ConfigError(
        f"No prompt called `{name}`",
        f"use a file, one of {names}, or one on the Hub as OWNER/REPO/FILE.txt",
    )


def load_few_shot_prompt(name: str) -> FewShotPrompt:
    """Read and parse the few-shot prompt called `name`."""
    return parse_few_shot_prompt(read_prompt_text(name), name)


def parse_few_shot_prompt(text: str, name: str = "the prompt") -> FewShotPrompt:
    """Parse a few-shot prompt; `name` is for messages. Raises `ConfigError` if it is malformed."""
    preamble, *examples = (part.strip() for part in _DIVIDER.split(text))
    kept = tuple(example for example in examples if example)
    for number, example in enumerate(kept, start=1):
        if not example.startswith("Human:") or "\nAssistant:" not in example:
            raise ConfigError(
                f"Example {number} of `{name}` does not begin with `Human:` or has no `Assistant:`",
                "write it as `Human: …` and `Assistant: …`, with a line `-----` before the next",
            )
    if not preamble:
        raise ConfigError(
            f"`{name}` has no preamble", "describe the assistant before the first `-----`"
        )
    return FewShotPrompt(preamble, kept)


def _list_packaged() -> dict[str, Path]:
    return {entry.stem: entry for entry in _find_folder().glob("*.md")}


def _find_folder() -> Path:
    # A checkout has the prompts in its root; only the build of a wheel copies them.
    packaged = Path(str(files("starchat_tui") / "_prompts"))
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "prompts"


def _read_text(path: Path) -> str:
    try:
        return read_text(path, f"`{path}`")
    except UsageError as error:
        raise ConfigError(error.message, "it must be UTF-8 text") from error


def _download_prompt(repo: str, file: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    kind = "dataset" if repo.startswith("datasets/") else "model"
    try:
        name, unreachable = repo.removeprefix("datasets/"), is_hub_unreachable()
        return Path(hf_hub_download(name, file, repo_type=kind, local_files_only=unreachable))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise ConfigError(
            f"The prompt `{repo}/{file}` cannot be downloaded ({type(error).__name__})",
            "check the name and the connection, or save the file and use its path",
        ) from error

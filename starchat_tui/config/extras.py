"""Optional dependencies: the extras of the package, and the error for one that is missing."""

from __future__ import annotations

from importlib.util import find_spec

from starchat_tui.errors import MissingExtra

EXTRAS: dict[str, tuple[str, tuple[str, ...]]] = {
    "local": (
        "The local engine",
        ("torch", "transformers", "accelerate", "peft", "safetensors", "starlette", "uvicorn"),
    ),
    "plots": ("Running code", ("PIL", "textual_image")),
    "train": ("Training", ("datasets", "deepspeed", "yaml", "tensorboard")),
}
"""Extras of pyproject.toml: a purpose for messages, and the modules that each installs."""


def require_extra(extra: str) -> None:
    """Raise `MissingExtra` unless every module of an extra is installed; imports none of them."""
    for module in EXTRAS[extra][1]:
        if find_spec(module) is None:
            raise _create_error(extra, module)


def find_missing_extra(error: ImportError) -> MissingExtra | None:
    """Return the error to show for a failed import, None if no extra installs that module."""
    module = (error.name or "").partition(".")[0]
    for extra, (_, modules) in EXTRAS.items():
        if module in modules:
            return _create_error(extra, module)
    return None


def _create_error(extra: str, module: str) -> MissingExtra:
    purpose, _ = EXTRAS[extra]
    alternative = ", or use a server with `--url`" if extra == "local" else ""
    return MissingExtra(
        f"{purpose} needs `{module}`, which is not installed",
        f"install it with `pip install 'starchat-tui[{extra}]'`{alternative}",
    )

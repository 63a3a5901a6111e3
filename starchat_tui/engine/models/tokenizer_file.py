"""tokenizer.json of a checkpoint, converted from an older format if there is none."""

from __future__ import annotations

from pathlib import Path

from starchat_tui.engine.models.weights import Checkpoint
from starchat_tui.errors import ModelUnavailable
from starchat_tui.templates.tokenizer import find_tokenizer_file


def prepare_tokenizer_file(checkpoint: Checkpoint, cache_dir: Path) -> Path:
    """Return the model's tokenizer.json; convert its tokenizer to one in `cache_dir` if needed.

    Raises `ModelUnavailable` if the model has no tokenizer that can be converted.
    """
    # The adapter's first: a fine-tune with new control tokens brings its own.
    folders = [folder for folder in (checkpoint.adapter, checkpoint.folder) if folder]
    for folder in folders:
        if found := find_tokenizer_file(folder):
            return found
    return _convert_tokenizer(checkpoint.folder, cache_dir)


def _convert_tokenizer(folder: Path, cache_dir: Path) -> Path:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, ImportError, TypeError, AttributeError) as error:
        raise ModelUnavailable(
            f"`{folder}` has no tokenizer", "copy its tokenizer.json there, or download it again"
        ) from error
    # Only tokenizers of the `tokenizers` library have a form as JSON. transformers makes an empty
    # one of a folder without any files of a tokenizer.
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not backend.get_vocab_size():
        raise ModelUnavailable(
            f"The tokenizer of `{folder}` cannot be converted to a tokenizer.json", "copy one there"
        )
    target = cache_dir / f"{folder.name}.tokenizer.json"
    cache_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    backend.save(str(target))
    return target

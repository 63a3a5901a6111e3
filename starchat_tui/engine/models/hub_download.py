"""Download of a model from the Hugging Face Hub, with progress and explained errors."""

from __future__ import annotations

from pathlib import Path

from starchat_tui.config.hub_connection import is_hub_unreachable
from starchat_tui.engine.models.load_progress import ProgressCallback, create_download_bar
from starchat_tui.errors import ModelUnavailable

_SMALL_FILES = ("*.json", "*.jinja", "*.model", "tokenizer*")


def download_model(repo: str, report: ProgressCallback) -> Path:
    """Return the local folder of a Hub model, downloading what is not cached.

    Raises `ModelUnavailable`, which says how to get access to it.
    """
    from huggingface_hub import snapshot_download

    unreachable = is_hub_unreachable()
    try:
        return Path(
            snapshot_download(
                repo,
                allow_patterns=_choose_patterns(repo, unreachable=unreachable),
                local_files_only=unreachable,
                # Folders hold weights for other frameworks; `consolidated*` is a second copy of
                # the weights, in the format that some models were trained in.
                ignore_patterns=["*/*", "consolidated*"],
                tqdm_class=create_download_bar(report),
            )
        )
    except (_get_http_error_class(), OSError, ValueError) as error:
        # Offline, a file that nothing needs may be missing from the cache; `read_checkpoint`
        # names the one that is needed.
        cached = getattr(error, "snapshot_path", None)
        if cached:
            return Path(cached)
        raise _explain_hub_error(repo, error) from error


def _choose_patterns(repo: str, *, unreachable: bool) -> list[str]:
    """Return the file patterns to download: one format of the weights, safetensors if there."""
    from huggingface_hub import HfApi

    if unreachable:
        return [*_SMALL_FILES, "*.safetensors", "*.bin"]
    try:
        names = HfApi().list_repo_files(repo)
    except (_get_http_error_class(), OSError):
        # Offline, or refused: the cache may hold all of it, and if not, the error of the download
        # says why.
        return [*_SMALL_FILES, "*.safetensors", "*.bin"]
    has_safetensors = any(name.endswith(".safetensors") and "/" not in name for name in names)
    return [*_SMALL_FILES, "*.safetensors" if has_safetensors else "*.bin"]


def _get_http_error_class() -> type[Exception]:
    """Return the root class of the errors of the HTTP library that huggingface_hub uses."""
    from huggingface_hub.errors import HfHubHTTPError

    # Timeouts and refused connections are errors of that library itself, and which one it is
    # depends on the version of huggingface_hub.
    return HfHubHTTPError.__mro__[1]


def _explain_hub_error(repo: str, error: Exception) -> ModelUnavailable:
    """Return the error to raise for one of huggingface_hub, with a hint that fits its cause."""
    from huggingface_hub import errors

    # In this order: a gated repository is a `RepositoryNotFoundError` as well.
    if isinstance(error, errors.GatedRepoError):
        hint = f"accept its license at https://huggingface.co/{repo}, then `hf auth login`"
        return ModelUnavailable(f"`{repo}` is gated", hint)
    if isinstance(error, errors.RepositoryNotFoundError):
        hint = "check the spelling; a private model needs `hf auth login`"
        return ModelUnavailable(f"The Hub has no model `{repo}`", hint)
    if isinstance(error, errors.HFValidationError):
        return ModelUnavailable(f"`{repo}` is not a Hub id", "write it as OWNER/NAME")
    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
        return ModelUnavailable(
            f"`{repo}` is missing or incomplete on this machine, and the Hub cannot be reached",
            "connect and try again, or name a folder that holds the model",
        )
    return ModelUnavailable(
        f"`{repo}` cannot be downloaded ({type(error).__name__}: {error})",
        "check the connection and the free disk space, then try again",
    )

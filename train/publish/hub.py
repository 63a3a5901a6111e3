"""Upload of a finished model; off unless asked for, and never before it is saved here."""

from __future__ import annotations

from pathlib import Path

from starchat_tui.errors import ConfigError, Unavailable
from train.config import Config


def check(config: Config) -> None:
    """Raise `ConfigError` before training where an upload was asked for and cannot happen."""
    if not config.push_to_hub:
        return
    from huggingface_hub import get_token

    if not get_token():
        raise ConfigError(
            f"`push_to_hub` to `{config.hub_id}` needs a token of the Hub, and there is none",
            "`hf auth login`, or set HF_TOKEN; or leave `push_to_hub` out",
        )


def push(folder: Path, hub_id: str) -> str:
    """Upload a finished model's folder; its address. Raises `Unavailable` where that fails."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    hub = HfApi()
    try:
        hub.create_repo(hub_id, exist_ok=True)
        found = hub.upload_folder(
            repo_id=hub_id, folder_path=str(folder), commit_message="Add the fine-tuned model"
        )
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise Unavailable(
            f"The model could not be uploaded to `{hub_id}` ({reason})",
            f"it is whole in `{folder}`; `hf upload {hub_id} {folder}` tries again",
        ) from error
    return str(found)

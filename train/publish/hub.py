"""Upload of a finished model; only on request, and only after it is saved locally."""

from __future__ import annotations

from pathlib import Path

from starchat_tui.errors import ConfigError, Unavailable
from train.config import Config


def check_upload(config: Config) -> None:
    """Raise `ConfigError`, before training, if a requested upload cannot work."""
    if not config.push_to_hub:
        return
    from huggingface_hub import get_token

    # Checked before training: hours later, a missing token would be found too late.
    if not get_token():
        raise ConfigError(
            f"`push_to_hub` to `{config.hub_id}` needs a Hub token, and none is set",
            "run `hf auth login` or set HF_TOKEN, or remove `push_to_hub`",
        )


def upload_model(folder: Path, hub_id: str) -> str:
    """Upload a finished model's folder and return its address; raises `Unavailable`."""
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
            f"it is complete in `{folder}`; retry with `hf upload {hub_id} {folder}`",
        ) from error
    return str(found)

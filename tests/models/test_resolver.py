"""Resolution of a mode, with files from the Hub and tokenizers that the user names."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest

from starchat_tui.config.settings import Settings
from starchat_tui.dialogue import Dialogue, Mode
from starchat_tui.errors import ConfigError, ModelUnavailable
from starchat_tui.models import resolver
from starchat_tui.models.resolver import ModelResolver
from starchat_tui.templates.chatml import ChatMLTemplate
from starchat_tui.templates.context_window import fit_prompt
from starchat_tui.templates.few_shot import FewShotTemplate
from starchat_tui.templates.jinja_template import JinjaTemplate
from tests.fakes import WINDOW, byte_tokenizer
from tests.sample_tokenizers import build_byte_level, save_tokenizer
from tests.scripted import ScriptedEngine
from tests.waiting import wait_until

ON_HUB = Settings(model="owner/name", mode="chat")
JINJA = """\
{% for message in messages %}[{{ message.role }}] {{ message.content }}
{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"""


class Hub:
    """Stand-in for the Hub's client: once released, it returns a file of a folder or fails."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.answers = threading.Event()

    def __call__(self, repo: str, name: str, **_: object) -> str:
        self.asked.append(name)
        assert self.answers.wait(30), "the event loop is blocked by the download"
        if self.folder is None:
            raise OSError("no network")
        return str(self.folder / name)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    (tmp_path / "tokenizer.json").write_text(json.dumps(byte_tokenizer()))
    (tmp_path / "config.json").write_text(json.dumps({"n_positions": WINDOW}))
    hub = Hub(tmp_path)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", hub)
    return hub


async def test_the_hub_is_asked_once_and_off_the_event_loop(hub: Hub) -> None:
    models = ModelResolver(ON_HUB, ScriptedEngine())
    first = asyncio.create_task(models.resolve("chat"))
    await wait_until(lambda: hub.asked, what="the Hub is asked")
    second = asyncio.create_task(models.resolve("chat"))
    first.cancel()
    await asyncio.wait({first})
    hub.answers.set()
    found = await second
    assert first.cancelled(), "a caller that gives up is not held"
    assert (found.window, type(found.template)) == (WINDOW, ChatMLTemplate)
    assert hub.asked == ["config.json", "tokenizer.json"]
    assert await models.resolve("chat") is found


async def test_a_failure_of_the_hub_stands_for_a_while(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.folder = None
    hub.answers.set()
    for seconds, times in ((60.0, 1), (0.0, 2)):
        monkeypatch.setattr(resolver, "HUB_RETRY_SECONDS", seconds)
        models = ModelResolver(ON_HUB, ScriptedEngine())
        hub.asked.clear()
        for _ in range(2):
            with pytest.raises(ModelUnavailable, match="cannot be downloaded"):
                await models.resolve("chat")
            await asyncio.sleep(0.01)
        assert len(hub.asked) == times


@pytest.mark.parametrize("url", ["http://x", ""])
async def test_a_named_tokenizer_without_chat_tokens_needs_a_template_beside_it(
    tmp_path: Path, url: str
) -> None:
    tokenizer = build_byte_level()
    path = save_tokenizer(tokenizer, tmp_path / "tokenizer.json")
    settings = Settings(url=url, tokenizer=str(path), window=4000)
    with pytest.raises(ConfigError, match="lacks StarChat's tokens") as caught:
        await ModelResolver(settings, ScriptedEngine()).resolve("chat")
    assert "--mode ta" in caught.value.hint
    (tmp_path / "chat_template.jinja").write_text(JINJA)
    found = await ModelResolver(settings, ScriptedEngine()).resolve("chat")
    assert isinstance(found.template, JinjaTemplate)
    asked = Dialogue("").with_message("user", "hi")
    prompt = fit_prompt(asked, found.template, window=found.window, reserve=found.reserve)
    assert found.template.tokenizer.decode(prompt.ids) == "[user] hi\n[assistant]"
    assert max(prompt.ids) < tokenizer.get_vocab_size(), "each has a row in the model"


async def test_a_named_tokenizer_with_chat_tokens_is_rendered_as_chatml(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(byte_tokenizer()))
    settings = Settings(url="http://x", tokenizer=str(path), window=4000)
    found = await ModelResolver(settings, ScriptedEngine()).resolve("chat")
    assert isinstance(found.template, ChatMLTemplate)


async def test_a_tokenizer_in_the_home_of_an_unknown_user_is_a_config_error() -> None:
    settings = Settings(url="http://x", tokenizer="~no-such-user/tokenizer.json", window=4000)
    with pytest.raises(ConfigError, match="No tokenizer"):
        await ModelResolver(settings, ScriptedEngine()).resolve("chat")


async def test_a_base_model_is_resolved_to_its_few_shot_prompt_and_its_window(
    tmp_path: Path,
) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(byte_tokenizer()))
    (tmp_path / "config.json").write_text("{}")
    unknown = Settings(model=str(tmp_path), mode="ta", prompt="hhh")
    with pytest.raises(ConfigError, match="context length") as caught:
        await ModelResolver(unknown, ScriptedEngine()).resolve("ta")
    assert "--window" in caught.value.hint
    (tmp_path / "config.json").write_text(json.dumps({"n_positions": 40_000}))
    found = await ModelResolver(unknown, ScriptedEngine()).resolve("ta")
    assert isinstance(found.template, FewShotTemplate)
    assert (found.window, found.reserve, found.name) == (40_000, 10_000, str(tmp_path))


@pytest.mark.parametrize(
    ("settings", "mode", "model"),
    [
        (Settings(), "chat", "nano-chat"),
        (Settings(), "ta", "nano-base"),
        (Settings(model="starcoderbase-1b"), "chat", "starcoderbase-1b"),
        (Settings(chat_model="starchat-beta"), "chat", "starchat-beta"),
        (Settings(url="http://x", model="served", ta_model="other"), "ta", "other"),
        (Settings(url="http://x", model="served"), "ta", "served"),
    ],
)
def test_a_mode_has_a_model_of_its_own_or_the_partner(
    settings: Settings, mode: Mode, model: str
) -> None:
    assert ModelResolver(settings, ScriptedEngine()).choose_model_name(mode) == model


@pytest.mark.parametrize(
    ("settings", "mode"),
    [
        (Settings(), "chat"),
        (Settings(model="nano-base"), "ta"),
        (Settings(model="nano-base", mode="chat"), "chat"),
        (Settings(url="http://x"), "chat"),
    ],
)
def test_the_initial_mode_is_chosen_or_the_models_own(settings: Settings, mode: Mode) -> None:
    assert ModelResolver(settings, ScriptedEngine()).choose_initial_mode() == mode


def test_a_stored_model_is_taken_up_where_it_is_on_this_machine() -> None:
    resolver = ModelResolver(Settings(), ScriptedEngine())
    assert resolver.adopt_model("nano-base")
    assert resolver.choose_model_name("ta") == "nano-base"
    assert not resolver.adopt_model("starchat-beta"), "31 GB are not downloaded for a resume"
    assert resolver.choose_model_name("chat") == "nano-chat"
    assert not resolver.adopt_model("/no/such/folder")
    assert not resolver.adopt_model("no-such-name")
    assert not resolver.adopt_model("")


@pytest.mark.parametrize(
    "settings",
    [
        Settings(model="starcoder"),
        Settings(chat_model="starcoder"),
        Settings(url="http://host:8000"),
    ],
)
def test_a_model_that_the_user_named_stays(settings: Settings) -> None:
    assert not ModelResolver(settings, ScriptedEngine()).adopt_model("nano-base")


def test_the_server_is_shown_without_a_password() -> None:
    resolver = ModelResolver(Settings(url="https://me:secret@host:8000/v1"), ScriptedEngine())
    assert resolver.server == "https://host:8000/v1"
    assert ModelResolver(Settings(), ScriptedEngine()).server == ""

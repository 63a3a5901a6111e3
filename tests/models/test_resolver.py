"""Who answers in a mode: files that come from the Hub, and tokenizers that the user names."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest

from starchat_tui.dialogue import Dialogue
from starchat_tui.errors import ConfigError, ModelUnavailable
from starchat_tui.models import resolver as module
from starchat_tui.models.resolver import Voices
from starchat_tui.settings import Settings
from starchat_tui.templates.jinja_template import HubTemplate
from starchat_tui.templates.template import ChatML, fit
from tests.fakes import WINDOW, byte_tokenizer
from tests.scripted import ScriptedEngine
from tests.vocabularies import byte_level, write
from tests.waiting import wait_until

DISTANT = Settings(model="owner/name", mode="chat")
JINJA = """\
{% for message in messages %}[{{ message.role }}] {{ message.content }}
{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"""


class Hub:
    """What the Hub's client does: it takes its time, and gives a file or an error."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.answers = threading.Event()

    def __call__(self, repo: str, name: str) -> str:
        self.asked.append(name)
        assert self.answers.wait(30), "nobody let it answer: the event loop waits for it"
        if self.folder is None:
            raise OSError("no network")
        return str(self.folder / name)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    (tmp_path / "tokenizer.json").write_text(json.dumps(byte_tokenizer()))
    (tmp_path / "config.json").write_text(json.dumps({"n_positions": WINDOW}))
    made = Hub(tmp_path)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", made)
    return made


async def test_the_hub_is_asked_beside_the_event_loop_and_once(hub: Hub) -> None:
    voices = Voices(DISTANT, ScriptedEngine())
    first = asyncio.create_task(voices.voice("chat"))
    await wait_until(lambda: hub.asked, what="the Hub is asked")
    second = asyncio.create_task(voices.voice("chat"))
    first.cancel()
    await asyncio.wait({first})
    hub.answers.set()
    found = await second
    assert first.cancelled(), "who types on is not waited for"
    assert (found.window, type(found.template)) == (WINDOW, ChatML)
    assert hub.asked == ["config.json", "tokenizer.json"]
    assert await voices.voice("chat") is found


async def test_a_failure_of_the_hub_holds_for_a_while(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.folder = None
    hub.answers.set()
    for held, times in ((60.0, 1), (0.0, 2)):
        monkeypatch.setattr(module, "HELD", held)
        voices = Voices(DISTANT, ScriptedEngine())
        hub.asked.clear()
        for _ in range(2):
            with pytest.raises(ModelUnavailable, match="cannot be fetched"):
                await voices.voice("chat")
            await asyncio.sleep(0.01)
        assert len(hub.asked) == times


@pytest.mark.parametrize("url", ["http://x", ""])
async def test_a_named_tokenizer_without_our_tokens_needs_a_template_beside_it(
    tmp_path: Path, url: str
) -> None:
    tokenizer = byte_level()
    path = write(tokenizer, tmp_path / "tokenizer.json")
    settings = Settings(url=url, tokenizer=str(path), window=4000)
    with pytest.raises(ConfigError, match="lacks StarChat's tokens") as caught:
        await Voices(settings, ScriptedEngine()).voice("chat")
    assert "--mode ta" in caught.value.hint
    (tmp_path / "chat_template.jinja").write_text(JINJA)
    found = await Voices(settings, ScriptedEngine()).voice("chat")
    assert isinstance(found.template, HubTemplate)
    asked = Dialogue("").plus("user", "hi")
    prompt = fit(asked, found.template, window=found.window, reserve=found.reserve)
    assert found.template.vocabulary.decode(prompt.ids) == "[user] hi\n[assistant]"
    assert max(prompt.ids) < tokenizer.get_vocab_size(), "each has a row in the model"


async def test_a_named_tokenizer_with_our_tokens_is_asked_in_our_layout(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(byte_tokenizer()))
    settings = Settings(url="http://x", tokenizer=str(path), window=4000)
    found = await Voices(settings, ScriptedEngine()).voice("chat")
    assert isinstance(found.template, ChatML)


async def test_the_home_of_nobody_is_no_defect() -> None:
    settings = Settings(url="http://x", tokenizer="~no-such-user/tokenizer.json", window=4000)
    with pytest.raises(ConfigError, match="No tokenizer"):
        await Voices(settings, ScriptedEngine()).voice("chat")

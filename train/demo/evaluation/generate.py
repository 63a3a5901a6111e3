"""Answers of an exported model at temperature 0, given by the product's own engine."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starchat_tui.client.http_client import EngineClient
from starchat_tui.client.protocol import Delta, Request, Sampling
from starchat_tui.dialogue import Dialogue, Mode
from starchat_tui.errors import EngineGone, Unavailable
from starchat_tui.templates.prompt_files import few_shot
from starchat_tui.templates.template import ChatML, TechnicalAssistant, Template, fit
from starchat_tui.templates.tokenizer import CHAT_TOKENS, Vocabulary

MOST = 320
"""Tokens of an answer."""
START_SECONDS = 120.0
PAUSE = 0.1
"""Seconds between two looks whether the engine is there."""
_ROLE = re.compile(
    "|".join((r"^\s*(?:human|user|assistant|system)\s*:", *map(re.escape, CHAT_TOKENS))),
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said."""

    text: str
    cut: bool
    """Whether it ran into the length limit."""

    @property
    def ran_on(self) -> bool:
        """Whether it goes on into another turn, by a role's line or token."""
        return bool(_ROLE.search(self.text))


@asynccontextmanager
async def engine() -> AsyncIterator[EngineClient]:
    """A client of an engine of our own, on one core, which ends with this.

    Raises `EngineGone` where it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="nano-") as folder:
        socket = Path(folder) / "engine.sock"
        command = ["-m", "starchat_tui", "serve", "--socket", str(socket), "--device", "cpu"]
        with (Path(folder) / "log").open("w+") as log:
            process = subprocess.Popen(
                [sys.executable, *command, "--keep-alive", "-1"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
            try:
                client = EngineClient(socket)
                await _ready(client, process, Path(log.name))
                yield client
            finally:
                process.terminate()
                process.wait()


async def _ready(client: EngineClient, process: subprocess.Popen[bytes], log: Path) -> None:
    async with asyncio.timeout(START_SECONDS):
        while process.poll() is None:
            try:
                await client.health()
                return
            except (Unavailable, EngineGone):
                await asyncio.sleep(PAUSE)
    raise EngineGone(f"The engine did not start: {log.read_text()[-500:]}")


class Answerer:
    """A model in one mode, behind an engine."""

    def __init__(self, client: EngineClient, folder: Path, mode: Mode) -> None:
        self._client = client
        self._model = str(folder.resolve())
        vocabulary = Vocabulary.load(folder / "tokenizer.json")
        self.window = int(json.loads((folder / "config.json").read_text())["n_positions"])
        self.template: Template = (
            ChatML(vocabulary)
            if mode == "chat"
            else TechnicalAssistant(vocabulary, few_shot("ta"), window=self.window)
        )

    async def answer(self, dialogue: Dialogue, *, most: int = MOST) -> Answer:
        """The likeliest answer to a dialogue that ends with a user's turn.

        Long dialogues lose their oldest turns, as in the product. Raises what the engine says.
        """
        prompt = fit(dialogue, self.template, window=self.window, reserve=most)
        request = Request(
            model=self._model,
            prompt=prompt.ids,
            sampling=Sampling(max_tokens=most, temperature=0.0),
            stop=prompt.stops.texts,
            stop_ids=prompt.stops.ids,
        )
        deltas = [d async for d in self._client.stream(request) if isinstance(d, Delta)]
        text = "".join(delta.text for delta in deltas)
        return Answer(self.template.answer(text), cut=deltas[-1].finish_reason == "length")

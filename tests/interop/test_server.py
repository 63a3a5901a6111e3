"""Client against vLLM or another OpenAI-compatible server: prompts of ids, stops, cancellation.

`make interop` starts a server; STARCHAT_INTEROP_URL, _MODEL and _TOKENIZER name a running one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from starchat_tui.client.http_client import EngineClient
from starchat_tui.client.protocol import Delta, ModelCard, Request, Sampling
from starchat_tui.dialogue import Dialogue
from starchat_tui.errors import ModelUnavailable, PromptTooLong, UsageError
from starchat_tui.templates.chatml import ChatMLTemplate
from starchat_tui.templates.template import encode_prompt
from starchat_tui.templates.tokenizer import Tokenizer
from tests.waiting import block_until

pytestmark = pytest.mark.interop

GREEDY = Sampling(max_tokens=24, temperature=0.0, top_p=1.0, top_k=0)
QUESTION = "Write a function that adds two numbers."


@dataclass(frozen=True)
class Server:
    """Address of a server, and the model that it serves."""

    url: str
    model: str
    tokenizer: Path


@dataclass
class Answer:
    """Streamed answer, joined."""

    text: str
    ids: list[int]
    pieces: int
    last: Delta


@pytest.fixture(scope="module")
def server() -> Server:
    url = os.environ.get("STARCHAT_INTEROP_URL")
    if not url:
        pytest.skip("STARCHAT_INTEROP_URL is not set (`make interop` starts a server)")
    model = os.environ.get("STARCHAT_INTEROP_MODEL", "nano-chat")
    return Server(url, model, Path(os.environ["STARCHAT_INTEROP_TOKENIZER"]))


@pytest.fixture(scope="module")
def tokenizer(server: Server) -> Tokenizer:
    return Tokenizer.load(server.tokenizer)


@pytest.fixture
def engine(server: Server) -> EngineClient:
    return EngineClient(server.url)


@pytest.fixture
def question(server: Server, tokenizer: Tokenizer) -> Request:
    """Request with a question as ids, to be answered greedily."""
    ids = encode_prompt(Dialogue("").with_message("user", QUESTION), ChatMLTemplate(tokenizer))
    return Request(server.model, tuple(ids), GREEDY, stop_ids=(tokenizer.end_id,))


async def stream_answer(engine: EngineClient, request: Request) -> Answer:
    deltas = [event async for event in engine.stream(request) if isinstance(event, Delta)]
    reasons = [delta for delta in deltas if delta.finish_reason]
    assert len(reasons) == 1
    usage = next((delta.usage for delta in deltas if delta.usage), None)
    return Answer(
        text="".join(delta.text for delta in deltas),
        ids=[token for delta in deltas for token in delta.ids],
        pieces=sum(bool(delta.text) for delta in deltas),
        last=replace(reasons[0], usage=usage),
    )


async def find_card(engine: EngineClient, server: Server) -> ModelCard:
    (card,) = [card for card in await engine.list_models() if card.name == server.model]
    return card


async def test_the_model_is_listed_with_its_window(engine: EngineClient, server: Server) -> None:
    assert (await find_card(engine, server)).window >= 1024


async def test_an_id_prompt_is_counted_exactly(engine: EngineClient, question: Request) -> None:
    answer = await stream_answer(engine, question)
    assert answer.last.usage is not None
    assert answer.last.usage.prompt_tokens == len(question.prompt)
    assert 0 < answer.last.usage.completion_tokens <= GREEDY.max_tokens


async def test_the_text_is_the_decoded_ids(
    engine: EngineClient, question: Request, tokenizer: Tokenizer
) -> None:
    answer = await stream_answer(engine, question)
    assert answer.ids
    text_ids = [token for token in answer.ids if token != tokenizer.end_id]
    assert tokenizer.decode(text_ids) == answer.text


async def test_the_answer_equals_that_of_our_engine(
    engine: EngineClient, question: Request, server: Server
) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = server.tokenizer.parent
    if not (folder / "config.json").is_file():
        pytest.skip("the weights of the server are not next to its tokenizer")
    from starchat_tui.engine.models.hub_model import HubModel

    hf_model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model = HubModel(hf_model, torch.device("cpu"))
    cache, expected, ids = model.new_cache(), [], list(question.prompt)
    for _ in range(GREEDY.max_tokens):
        ids = [int(model.forward(ids, cache).argmax())]
        expected += ids
        if ids[0] in question.stop_ids:
            break
    answer = await stream_answer(engine, question)
    assert answer.ids == expected[: len(answer.ids)]
    assert len(expected) - len(answer.ids) <= 1


async def test_the_answer_comes_in_pieces(engine: EngineClient, question: Request) -> None:
    assert (await stream_answer(engine, question)).pieces >= 3


async def test_a_stop_text_ends_the_answer_and_is_not_in_it(
    engine: EngineClient, question: Request
) -> None:
    whole = (await stream_answer(engine, question)).text
    stop = whole[len(whole) // 2 :][:3]
    answer = await stream_answer(engine, replace(question, stop=(stop,)))
    assert answer.text == whole[: whole.index(stop)]
    assert answer.last.finish_reason == "stop"


async def test_a_stop_id_ends_the_answer(
    engine: EngineClient, question: Request, tokenizer: Tokenizer
) -> None:
    whole = (await stream_answer(engine, question)).ids
    end = next(token for token in whole[3:] if token not in whole[:3])
    answer = await stream_answer(engine, replace(question, stop_ids=(end,)))
    before = whole[: whole.index(end)]
    assert [token for token in answer.ids if token != end] == before
    assert answer.last.finish_reason == "stop"
    assert answer.text == tokenizer.decode(before)


async def test_the_length_limit_is_reported(engine: EngineClient, question: Request) -> None:
    answer = await stream_answer(engine, replace(question, sampling=replace(GREEDY, max_tokens=3)))
    assert answer.last.finish_reason == "length"
    assert answer.last.usage is not None
    assert answer.last.usage.completion_tokens == 3


async def test_a_seed_repeats_an_answer(engine: EngineClient, question: Request) -> None:
    hot = replace(GREEDY, temperature=1.5, seed=7)
    first = await stream_answer(engine, replace(question, sampling=hot))
    again = await stream_answer(engine, replace(question, sampling=hot))
    other = await stream_answer(engine, replace(question, sampling=replace(hot, seed=8)))
    assert first.ids == again.ids != other.ids


def read_metric(server: Server, name: str) -> float:
    """Return a metric that the server publishes; skip the test if it publishes none."""
    try:
        with urllib.request.urlopen(f"{server.url}/metrics") as answer:
            text = answer.read().decode()
    except urllib.error.HTTPError:
        pytest.skip("the server publishes no /metrics")
    found = re.findall(rf"^(?:\w+:)?{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
    if not found:
        pytest.skip(f"the server does not publish {name}")
    return sum(map(float, found))


async def test_closing_the_stream_frees_the_server(
    engine: EngineClient, question: Request, server: Server
) -> None:
    longest = (await find_card(engine, server)).window - len(question.prompt)
    # The highest temperature that vLLM allows, so that an end before the window is not likely.
    long = Sampling(max_tokens=longest, temperature=2.0, top_p=1.0, top_k=0, seed=1)
    before = read_metric(server, "generation_tokens_total")
    async with aclosing(engine.stream(replace(question, sampling=long, stop_ids=()))) as stream:
        async for event in stream:
            if isinstance(event, Delta) and event.ids:
                break
    block_until(lambda: read_metric(server, "num_requests_running") == 0, what="an idle server")
    assert read_metric(server, "generation_tokens_total") - before < longest / 2


async def test_a_prompt_over_the_window_is_refused_with_its_size(
    engine: EngineClient, question: Request, server: Server
) -> None:
    window = (await find_card(engine, server)).window
    with pytest.raises((PromptTooLong, UsageError), match=str(window)):
        await stream_answer(engine, replace(question, prompt=(9,) * (window + 1)))
    assert (await stream_answer(engine, question)).text


async def test_an_unknown_model_is_refused_by_name(engine: EngineClient, question: Request) -> None:
    with pytest.raises(ModelUnavailable, match="no-such-model"):
        await stream_answer(engine, replace(question, model="no-such-model"))


def run_starchat(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "starchat_tui", "--url", server.url]
    command += ["--tokenizer", str(server.tokenizer), "-m", server.model, "-t", "0", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def test_the_command_answers(server: Server) -> None:
    process = run_starchat(server, "--max-tokens", "24", "--no-log", QUESTION)
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip()


def test_the_command_continues_a_conversation(server: Server) -> None:
    first = json.loads(run_starchat(server, "--json", "--max-tokens", "24", QUESTION).stdout)
    second = run_starchat(server, "--json", "--max-tokens", "24", "-c", "Now subtract them.")
    assert second.returncode == 0, second.stderr
    result = json.loads(second.stdout)
    assert result["model"] == server.model
    assert result["conversation"] == first["conversation"]
    assert result["prompt_tokens"] > first["prompt_tokens"] + first["completion_tokens"]

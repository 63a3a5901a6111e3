"""A real engine behind a real socket: answers, counts, errors, queue, hang-up."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from starchat_tui.client.http_client import EngineClient
from starchat_tui.client.protocol import Delta, ModelCard, Progress, Request, Sampling, joined
from starchat_tui.engine.cache.prefix import common
from starchat_tui.engine.models.hub_model import Reference
from starchat_tui.engine.serving.access import peer_uid
from starchat_tui.engine.serving.server import seconds
from starchat_tui.errors import (
    Busy,
    ConfigError,
    ModelUnavailable,
    PromptTooLong,
    StarChatError,
    UsageError,
)
from tests.engine.engine_server import ROOT, Served, environment, served
from tests.engine.test_generate import theirs
from tests.fakes import VOCABULARY_SIZE, WINDOW, save_tiny_model
from tests.waiting import wait_until

GREEDY = Sampling(max_tokens=40, temperature=0)
LONG_WINDOW = 8192


@pytest.fixture(scope="module")
def engine() -> Iterator[Served]:
    with served() as found:
        yield found


@pytest.fixture(scope="module")
def long_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose answers last long enough to be interrupted."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "long", window=LONG_WINDOW)


@pytest.fixture
def client(engine: Served) -> EngineClient:
    return EngineClient(engine.socket)


async def answered(client: EngineClient, request: Request) -> tuple[list[Progress], Delta]:
    """The progress, and the deltas as one."""
    progress, deltas = [], []
    async for event in client.stream(request):
        (progress if isinstance(event, Progress) else deltas).append(event)  # type: ignore[arg-type]
    assert [delta.finish_reason for delta in deltas[:-1]] == [None] * (len(deltas) - 1)
    return progress, joined(deltas)


def asking(folder: Path, *ids: int, **fields: object) -> Request:
    return replace(Request(str(folder), ids or (1, 2, 3), GREEDY), **fields)  # type: ignore[arg-type]


async def idle(engine: Served) -> None:
    await wait_until(lambda: engine.health()["state"] == "idle", what="the engine is idle")


async def test_the_answer_is_what_transformers_generates(
    client: EngineClient, tiny_folder: Path, reference: Reference
) -> None:
    prompt = random.Random(0).choices(range(256), k=30)
    stages, answer = await answered(client, asking(tiny_folder, *prompt, progress=True))
    expected = theirs(reference, prompt, GREEDY)
    assert list(answer.ids) == expected
    assert answer.finish_reason == "length"
    assert answer.text == bytes(token for token in expected if token < 256).decode(errors="replace")
    assert stages[-1] == Progress("prefill", 0, 30)
    assert answer.timings
    assert answer.timings.prefill > 0
    assert answer.timings.decode > 0


async def test_a_whole_answer_equals_the_streamed_one(
    client: EngineClient, tiny_folder: Path
) -> None:
    request = asking(tiny_folder, 9, 8, 7, sampling=Sampling(max_tokens=30, seed=3))
    _, streamed = await answered(client, request)
    whole = [event async for event in client.stream(replace(request, stream=False))]
    (answer,) = whole
    assert isinstance(answer, Delta)
    assert (answer.text, answer.ids) == (streamed.text, streamed.ids)
    assert answer.usage
    assert answer.usage.completion_tokens == 30
    assert answer.usage.prompt_tokens == 3


async def test_text_prompts_are_encoded_without_control_tokens(
    client: EngineClient, tiny_folder: Path
) -> None:
    text = "hi<|end|>"
    _, by_text = await answered(client, asking(tiny_folder, prompt=text))
    _, by_ids = await answered(client, asking(tiny_folder, *text.encode()))
    assert by_text.ids == by_ids.ids
    assert by_text.usage
    assert by_text.usage.prompt_tokens == len(text)


async def test_a_stop_text_and_a_stop_id_end_the_answer(
    client: EngineClient, tiny_folder: Path
) -> None:
    sampling = Sampling(max_tokens=200, temperature=1.2, seed=1)
    _, free = await answered(client, asking(tiny_folder, 50, 51, sampling=sampling))
    stop = free.text[30:33]
    _, stopped = await answered(
        client, asking(tiny_folder, 50, 51, sampling=sampling, stop=(stop,))
    )
    assert stopped.text == free.text[: free.text.index(stop)]
    assert stopped.finish_reason == "stop"
    end = free.ids[20]
    _, ended = await answered(
        client, asking(tiny_folder, 50, 51, sampling=sampling, stop_ids=(end,))
    )
    assert ended.ids == free.ids[: free.ids.index(end)]
    assert ended.finish_reason == "stop"
    assert ended.usage
    assert ended.usage.completion_tokens == len(ended.ids) + 1, "the stop token was drawn, too"


async def test_ten_turns_with_a_rewind_and_a_one_shot_reuse_the_longest_prefix(
    client: EngineClient, tiny_folder: Path, engine: Served
) -> None:
    dice = random.Random(7)
    few_shot = dice.choices(range(256), k=200)
    dialogue, kept = list(few_shot), []

    async def turn(ids: list[int]) -> list[int]:
        before = engine.health()["prefilled_tokens"]
        _, answer = await answered(client, asking(tiny_folder, *ids, sampling=Sampling(12, seed=2)))
        assert answer.usage
        known = max((common(old, ids[:-1]) for old in kept), default=0)
        assert answer.usage.cached_tokens == known
        assert answer.usage.prompt_tokens == len(ids)
        await idle(engine)
        computed = engine.health()["prefilled_tokens"]
        assert isinstance(computed, int)
        assert isinstance(before, int)
        assert computed - before == len(ids) - known
        # The last token of an answer is drawn and not read.
        kept.append([*ids, *answer.ids[:-1]])
        return [*ids, *answer.ids]

    for number in range(10):
        dialogue += dice.choices(range(256), k=9)
        if number == 5:
            await turn([*few_shot, *dice.choices(range(256), k=15)])
        if number == 7:
            dialogue = dialogue[:240] + dice.choices(range(256), k=9)
        dialogue = await turn(dialogue)


async def test_the_loaded_model_is_listed(client: EngineClient, tiny_folder: Path) -> None:
    await answered(client, asking(tiny_folder))
    (card,) = [card for card in await client.models() if card.name == str(tiny_folder)]
    assert (card.window, card.loaded) == (WINDOW, True)
    assert card.tokenizer == str(tiny_folder / "tokenizer.json")
    assert card.bytes > 0


async def test_a_model_is_loaded_ahead(client: EngineClient, long_folder: Path) -> None:
    events = [event async for event in client.load(str(long_folder))]
    assert isinstance(events[-1], ModelCard)
    assert events[-1].window == LONG_WINDOW
    assert "loading" in {event.stage for event in events if isinstance(event, Progress)}


async def test_errors_leave_the_engine_alive(
    client: EngineClient, tiny_folder: Path, engine: Served, tmp_path: Path
) -> None:
    half = save_tiny_model(tmp_path / "half")
    whole = (half / "model.safetensors").read_bytes()
    (half / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    cases: list[tuple[Request, type[StarChatError], str]] = [
        (
            asking(tiny_folder, *range(WINDOW // 2), *range(WINDOW // 2)),
            PromptTooLong,
            "512 tokens",
        ),
        (asking(tiny_folder, VOCABULARY_SIZE), UsageError, str(VOCABULARY_SIZE)),
        (asking(tiny_folder, model="no-such-model"), ModelUnavailable, "no-such-model"),
        (asking(tiny_folder, model="owner/absent"), ModelUnavailable, "owner/absent"),
        (asking(half), ModelUnavailable, "half-downloaded"),
        (asking(tmp_path), ModelUnavailable, "config.json"),
    ]
    for request, kind, said in cases:
        for progress, stream in ((True, True), (False, True), (False, False)):
            with pytest.raises(kind, match=said) as caught:
                await answered(client, replace(request, progress=progress, stream=stream))
            assert type(caught.value) is kind
            assert caught.value.hint
    assert engine.process.poll() is None
    assert (await answered(client, asking(tiny_folder)))[1].ids


async def test_an_answer_ends_at_the_window(client: EngineClient, tiny_folder: Path) -> None:
    prompt = [5] * (WINDOW - 10)
    _, answer = await answered(
        client, asking(tiny_folder, *prompt, sampling=Sampling(10_000, seed=1))
    )
    assert (answer.finish_reason, len(answer.ids)) == ("length", 10)


def status_of(
    engine: Served, method: str, path: str, body: bytes | None = None
) -> tuple[int, dict]:
    with engine.http() as http:
        response = http.request(method, path, content=body)
        return response.status_code, response.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", None, 404),
        ("GET", "/v1/completions", None, 405),
        ("POST", "/health", b"{}", 405),
        ("POST", "/v1/completions", b"", 400),
        ("POST", "/v1/completions", b"\xff{", 400),
        ("POST", "/v1/completions", b"[" * 100_000, 400),
        ("POST", "/v1/completions", b"[]", 400),
        ("POST", "/v1/completions", b'{"model": "m", "prompt": [1], "temperature": -1}', 400),
        ("POST", "/v1/completions", b'{"model": "m", "prompt": [1], "temprature": 1}', 400),
        ("POST", "/v1/completions", b'{"model": "m", "prompt": [-1]}', 400),
        ("POST", "/v1/completions", b'{"model": "m", "prompt": []}', 400),
        ("POST", "/v1/completions", b'{"model": "absent", "prompt": [1]}', 404),
        ("POST", "/v1/starchat/load", b"{}", 400),
        ("POST", "/v1/starchat/load", b'{"model": "absent"}', 404),
    ],
)
def test_every_refusal_is_json_with_its_status(
    engine: Served, method: str, path: str, body: bytes | None, status: int
) -> None:
    found, error = status_of(engine, method, path, body)
    assert found == status
    assert error["message"]
    assert error["hint"]


def test_a_request_that_is_too_large_is_refused(engine: Served) -> None:
    status, error = status_of(engine, "POST", "/v1/completions", b" " * (2**24 + 1))
    assert (status, error["code"]) == (400, "invalid_request")


LONG = Sampling(max_tokens=LONG_WINDOW, temperature=1.0, seed=0)


async def test_hanging_up_ends_the_answer(
    client: EngineClient, long_folder: Path, engine: Served
) -> None:
    before = engine.health()["generated_tokens"]
    said = 0
    async with aclosing(client.stream(asking(long_folder, sampling=LONG))) as events:
        async for event in events:
            said += isinstance(event, Delta)
            if said == 5:
                break
    await idle(engine)
    after = engine.health()["generated_tokens"]
    assert isinstance(after, int)
    assert isinstance(before, int)
    assert 5 <= after - before < LONG_WINDOW // 4


async def test_hanging_up_on_a_whole_answer_ends_it(
    client: EngineClient, long_folder: Path, engine: Served
) -> None:
    before = engine.health()["generated_tokens"]
    request = asking(long_folder, sampling=LONG, stream=False)
    task = asyncio.create_task(answered(client, request))
    await wait_until(lambda: engine.health()["state"] == "busy", what="the engine answers")
    task.cancel()
    await idle(engine)
    after = engine.health()["generated_tokens"]
    assert isinstance(after, int)
    assert isinstance(before, int)
    assert after - before < LONG_WINDOW // 2


async def test_hanging_up_ends_the_reading_of_a_prompt_between_chunks(
    client: EngineClient, long_folder: Path, engine: Served
) -> None:
    before = engine.health()["prefilled_tokens"]
    prompt = random.Random(4).choices(range(256), k=LONG_WINDOW - 10)
    async with aclosing(client.stream(asking(long_folder, *prompt, progress=True))) as events:
        async for event in events:
            if isinstance(event, Progress) and event.stage == "prefill":
                assert event.total == len(prompt)
                break
    await idle(engine)
    after = engine.health()["prefilled_tokens"]
    assert isinstance(after, int)
    assert isinstance(before, int)
    assert after - before < len(prompt)


async def test_who_comes_second_waits_and_knows_the_place(
    client: EngineClient, long_folder: Path, tiny_folder: Path, engine: Served
) -> None:
    async with aclosing(client.stream(asking(long_folder, sampling=LONG))) as first:
        await anext(first)
        leaving = asyncio.create_task(collect(client, asking(tiny_folder, progress=True)))
        await wait_until(lambda: engine.health()["queue"] == 1, what="one waits")
        waiting = asyncio.create_task(collect(client, asking(tiny_folder, progress=True)))
        await wait_until(lambda: engine.health()["queue"] == 2, what="two wait")
        leaving.cancel()
        await wait_until(lambda: engine.health()["queue"] == 1, what="the one who left is gone")
    events = await waiting
    places = [
        (event.done, event.total)
        for event in events
        if isinstance(event, Progress) and event.stage == "queued"
    ]
    assert places == [(2, 2), (1, 1)]
    assert isinstance(events[-1], Delta)
    assert events[-1].finish_reason == "length"


async def collect(client: EngineClient, request: Request) -> list[Delta | Progress]:
    return [event async for event in client.stream(request)]


async def test_a_full_queue_says_so(client: EngineClient, long_folder: Path) -> None:
    async with aclosing(client.stream(asking(long_folder, sampling=LONG))) as first:
        await anext(first)
        crowd = [
            asyncio.create_task(
                collect(client, asking(long_folder, sampling=replace(LONG, max_tokens=1)))
            )
            for _ in range(40)
        ]
        done, _ = await asyncio.wait(crowd, return_when=asyncio.FIRST_EXCEPTION)
        refused = [task.exception() for task in done if task.exception()]
        assert refused
        assert all(isinstance(error, Busy) for error in refused)
    found = await asyncio.gather(*crowd, return_exceptions=True)
    assert sum(isinstance(one, list) for one in found) == 16


def test_the_socket_is_the_users_alone(engine: Served) -> None:
    assert stat.S_IMODE(engine.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(engine.socket.parent.stat().st_mode) == 0o700


def test_the_peer_of_a_socket_is_known() -> None:
    left, right = socket.socketpair(socket.AF_UNIX)
    with left, right:
        assert peer_uid(left) == os.getuid()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_hung_up_on(engine: Served) -> None:
    script = f"""
import os, socket
caller = socket.socket(socket.AF_UNIX)
os.setuid(65534)
caller.connect({str(engine.socket)!r})
try:
    caller.sendall(b"GET /health HTTP/1.1\\r\\nHost: e\\r\\n\\r\\n")
    print("read", len(caller.recv(100)))
except (BrokenPipeError, ConnectionResetError):
    print("read", 0)
"""
    parents = [engine.socket, *engine.socket.parents[:2]]
    modes = [stat.S_IMODE(path.stat().st_mode) for path in parents]
    try:
        for path in parents:
            path.chmod(0o777)
        ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    finally:
        for path, mode in zip(parents, modes, strict=True):
            path.chmod(mode)
    assert ran.stdout.strip() == "read 0", ran
    assert engine.health()["pid"] == engine.process.pid


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


async def test_the_network_needs_the_token() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with served("--port", str(port), "--token", "s3cret", answers=False) as engine:
        good, bad, none = (EngineClient(url, token=token) for token in ("s3cret", "s3cre", None))
        await wait_until(lambda: "listening" in engine.log.read_text(), what="it listens")
        assert (await good.health()).pid == engine.process.pid
        for stranger in (bad, none):
            with pytest.raises(UsageError, match="token"):
                await stranger.models()
        await good.models()
        assert (await good.health()).keep_alive < 0, "nobody else could start it again"


async def test_the_model_it_was_started_for_is_listed_while_it_loads(tiny_folder: Path) -> None:
    port = free_port()
    flags = ("--port", str(port), "--token", "s3cret", "--keep-alive", "5m")
    with served(*flags, "--model", str(tiny_folder), answers=False) as engine:
        client = EngineClient(f"http://127.0.0.1:{port}", token="s3cret")
        await wait_until(lambda: "listening" in engine.log.read_text(), what="it listens")
        (card,) = [card for card in await client.models() if card.name == str(tiny_folder)]
        assert card.window == WINDOW
        assert (await client.health()).keep_alive == 300


async def test_a_model_that_cannot_be_had_is_not_listed() -> None:
    port = free_port()
    flags = ("--port", str(port), "--token", "s3cret", "--model", "owner/absent")
    with served(*flags, answers=False) as engine:
        client = EngineClient(f"http://127.0.0.1:{port}", token="s3cret")
        await wait_until(lambda: "listening" in engine.log.read_text(), what="it listens")
        assert "owner/absent" not in {card.name for card in await client.models()}


def run_serve(*flags: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "starchat_tui", "serve", *flags]
    return subprocess.run(
        command, cwd=ROOT, env=environment(home), capture_output=True, text=True, timeout=60
    )


def test_the_network_without_a_token_is_refused(empty_home: Path) -> None:
    ran = run_serve("--port", "0", home=empty_home)
    assert ran.returncode == 2
    assert "token" in ran.stderr


def test_a_second_engine_is_refused_and_names_the_first(engine: Served) -> None:
    ran = run_serve(home=engine.socket.parent.parent)
    assert ran.returncode == 75
    assert "listens" in ran.stderr


def test_a_socket_in_a_shared_directory_is_refused(empty_home: Path) -> None:
    shared = empty_home / "shared"
    shared.mkdir(mode=0o755)
    ran = run_serve("--socket", str(shared / "engine.sock"), home=empty_home)
    assert ran.returncode == 78
    assert "0700" in ran.stderr
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755


def test_a_file_in_the_sockets_place_is_kept(empty_home: Path) -> None:
    notes = empty_home / "mine" / "notes"
    notes.parent.mkdir(mode=0o700)
    notes.write_text("precious")
    ran = run_serve("--socket", str(notes), home=empty_home)
    assert ran.returncode == 78
    assert "is no socket" in ran.stderr
    assert notes.read_text() == "precious"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--socket", "{home}/file/engine.sock"), "cannot hold a socket"),
        (("--port", "70000", "--token", "t"), "Nothing can listen on 127.0.0.1:70000"),
    ],
)
def test_a_place_where_nobody_can_listen_is_told(
    empty_home: Path, flags: tuple[str, ...], said: str
) -> None:
    (empty_home / "file").write_text("")
    ran = run_serve(*(flag.format(home=empty_home) for flag in flags), home=empty_home)
    assert ran.returncode == 78
    assert said in ran.stderr
    assert "defect" not in ran.stderr


def test_it_leaves_when_idle_and_takes_its_socket_along() -> None:
    with served("--keep-alive", "0") as engine:
        with engine.http() as http:
            body = {"model": "absent", "prompt": [1]}
            assert http.post("/v1/completions", json=body).status_code == 404
        assert engine.process.wait(30) == 0
        assert not engine.socket.exists()


def test_it_leaves_when_told_even_while_it_answers(long_folder: Path) -> None:
    with served() as engine:
        body = {"model": str(long_folder), "prompt": [1], "max_tokens": 8000, "stream": True}
        with engine.http() as http, engine.http() as other:
            with http.stream("POST", "/v1/completions", json=body) as response:
                lines = response.iter_lines()
                next(line for line in lines if '"choices"' in line)
                refused = other.post("/v1/starchat/stop", json={"if_idle": True})
                assert refused.status_code == 429
                assert other.post("/v1/starchat/stop", json={}).json()["stopping"]
                events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
            assert events[-1]["choices"][0]["finish_reason"] == "cancelled"
        assert engine.process.wait(30) == 0
        assert not engine.socket.exists()


def test_sigterm_ends_it_in_order() -> None:
    with served() as engine:
        engine.process.terminate()
        assert engine.process.wait(30) == 143
        assert not engine.socket.exists()


EARLY = """
import os, signal, sys, time
from starchat_tui.engine.serving import server, worker

class Slow(worker.Worker):
    def start(self):
        super().start()
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000): pass  # where the signal is heard

    def _import(self):
        while not self.leaving: time.sleep(0.01)
        os.write(1, b"told to leave")

server.Worker = Slow
sys.exit(server.main(["--device", "cpu"], os.environ))
"""


def test_sigterm_while_it_starts_ends_its_thread_too(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", EARLY],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (found.returncode, found.stdout) == (143, b"told to leave"), found.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30s", 30), ("10m", 600), ("2h", 7200), ("1d", 86400), ("0", 0), ("-1", -1), ("1.5m", 90)],
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "m", "10 minutes", "1e3", "10w"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ConfigError):
        seconds(text)

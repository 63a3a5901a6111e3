"""Requests at the same time: the wait of a short question behind a long answer, and throughput.

A real engine on its socket, one thread, greedy. The wait is what the first token takes longer than
in an idle engine, in the token times of an answer that runs alone: before the requests took turns
it was the rest of the long answer. `python -m tests.benchmarks.concurrency [MODEL]`.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

from starchat_tui.client.http_client import EngineClient
from starchat_tui.client.protocol import Delta, Request, Sampling, Timings
from tests.benchmarks.record import Goal, publish
from tests.engine.engine_server import run_engine

LONG, SHORT, SHARE = 400, 8, 200
"""Tokens of the long answer, of the short one, and of each where several ask at the same time."""
REPEATS = 15
ASKERS = (1, 2, 4)


@dataclass
class Answer:
    """Times of one answer at the client, in seconds of the monotonic clock."""

    sent: float = field(default_factory=time.monotonic)
    tokens: list[float] = field(default_factory=list)
    timings: Timings = field(default_factory=Timings)

    @property
    def first_token(self) -> float:
        """Seconds until the first token."""
        return self.tokens[0] - self.sent

    @property
    def engine_wait(self) -> float:
        """Seconds in the engine until the prompt was read, which the first token follows."""
        return self.timings.queued + self.timings.prefill

    @property
    def token_time(self) -> float:
        """Seconds for each token after the first, in the engine."""
        return self.timings.decode / (len(self.tokens) - 1)


def create_request(model: str, prompt: str, tokens: int) -> Request:
    """Return a greedy request that ends after `tokens` tokens."""
    sampling = Sampling(max_tokens=tokens, temperature=0.0)
    return Request(model, prompt, sampling, ignore_eos=True)


async def stream_answer(
    client: EngineClient, request: Request, answer: Answer
) -> AsyncIterator[None]:
    """Note the times of an answer; yield after each token."""
    async with aclosing(client.stream(request)) as events:  # type: ignore[type-var]
        async for event in events:
            if isinstance(event, Delta):
                answer.tokens += [time.monotonic()] * len(event.ids)
                answer.timings = event.timings or answer.timings
                yield


async def ask(client: EngineClient, model: str, prompt: str, tokens: int) -> Answer:
    """Return the times of a whole answer."""
    answer = Answer()
    async for _ in stream_answer(client, create_request(model, prompt, tokens), answer):
        pass
    assert len(answer.tokens) == tokens
    return answer


async def ask_behind(client: EngineClient, model: str, number: int) -> Answer:
    """Return the times of a short answer that is asked for in the middle of a long one."""
    short: asyncio.Task[Answer] | None = None
    long = Answer()
    request = create_request(model, f"def sort_{number}(values):", LONG)
    async for _ in stream_answer(client, request, long):
        if short is None and len(long.tokens) >= LONG // 8:
            question = ask(client, model, f"# question {number}\n", SHORT)
            short = asyncio.create_task(question)
    assert short is not None
    assert short.done(), "the short answer ends first"
    return await short


async def measure_throughput(client: EngineClient, model: str, askers: int) -> float:
    """Return the tokens per second of all answers to a number of askers."""
    start = time.monotonic()
    await asyncio.gather(
        *(ask(client, model, f"def add_{number}(a, b):", SHARE) for number in range(askers))
    )
    return askers * SHARE / (time.monotonic() - start)


async def measure_all(client: EngineClient, model: str) -> dict[str, float]:
    """Measure waits and throughput, idle and busy engine interleaved."""
    await ask(client, model, "warm", SHORT)
    alone, behind, token_times = [], [], []
    rates: dict[int, list[float]] = {askers: [] for askers in ASKERS}
    for number in range(REPEATS):
        token_times.append((await ask(client, model, f"# long {number}\n", LONG)).token_time)
        alone.append(await ask(client, model, f"# alone {number}\n", SHORT))
        behind.append(await ask_behind(client, model, number))
        for askers in ASKERS:
            rates[askers].append(await measure_throughput(client, model, askers))
    token_time = statistics.median(token_times)
    waits = [
        (busy.engine_wait - idle.engine_wait) / token_time
        for idle, busy in zip(alone, behind, strict=True)
    ]
    return {
        "token_ms": round(1e3 * token_time, 2),
        "first_token_alone_ms": round(1e3 * statistics.median(a.first_token for a in alone), 1),
        "first_token_behind_ms": round(1e3 * statistics.median(b.first_token for b in behind), 1),
        "waited_token_times": round(statistics.median(waits), 2),
        "most_waited_token_times": round(max(waits), 2),
        **{
            f"tokens_per_second_{askers}": round(statistics.median(found), 1)
            for askers, found in rates.items()
        },
    }


def measure() -> dict[str, float | int | str]:
    """Measure the model named on the command line, by default `nano-chat`."""
    model = sys.argv[1] if len(sys.argv) > 1 else "nano-chat"
    with run_engine() as engine:
        figures = asyncio.run(measure_all(EngineClient(engine.socket), model))
    return {"model": model, "long": LONG, "short": SHORT, **figures}


if __name__ == "__main__":
    sys.exit(publish("concurrency", measure, {"waited_token_times": Goal(most=3.0)}))

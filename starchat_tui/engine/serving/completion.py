"""One completion: the prompt checked, read and answered, piece by piece."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from torch import Tensor

from starchat_tui.client.protocol import Delta, Progress, Request, Timings, Usage
from starchat_tui.engine import generate
from starchat_tui.engine.detokenize import Decoder, Stopper
from starchat_tui.engine.sampling import Sampler
from starchat_tui.engine.serving.model_pool import Loaded
from starchat_tui.errors import PromptTooLong, UsageError

Emit = Callable[[Delta | Progress], None]


class Answer:
    """The answer to one request, on the thread that owns the device."""

    def __init__(self, loaded: Loaded, request: Request, *, goes_on: Callable[[], bool]) -> None:
        self._loaded = loaded
        self._request = request
        self._goes_on = goes_on
        self._ids = readable(loaded, request.prompt)
        self.prefilled = 0
        """Prompt tokens computed."""
        self.completed = 0
        """Tokens drawn, the stop token included."""

    def run(self, emit: Emit, *, queued: float = 0.0) -> Delta:
        """Emit progress and deltas; the last delta, with reason, counts and timings, is returned.

        Raises what torch raises; the prefix cache is whole afterwards.
        """
        started = time.monotonic()
        cached = self._open()
        logits = self._read(cached, emit)
        between = time.monotonic()
        tail, reason = ("", "cancelled") if logits is None else self._say(logits, emit)
        self._keep()
        return Delta(
            text=tail,
            finish_reason=reason,
            usage=Usage(len(self._ids), self.completed, cached),
            timings=Timings(queued, between - started, time.monotonic() - between),
        )

    def _open(self) -> int:
        """The number of tokens that need not be read, from memory or from disk."""
        prefix, shared = self._loaded.prefix, self._shared()
        cached = prefix.open(self._ids)
        if cached < len(shared):
            run = self._loaded.store.load(shared, self._loaded.model.device)
            if run:
                prefix.adopt(shared, run)
                return len(shared)
        return cached

    def _keep(self) -> None:
        shared = self._shared()
        if shared and not self._loaded.store.has(shared):
            run = self._loaded.prefix.read(len(shared))
            if run:
                self._loaded.store.save(shared, run)

    def _shared(self) -> tuple[int, ...]:
        """What every conversation begins with; the last token of a prompt is always read."""
        return self._ids[: min(self._request.shared, len(self._ids) - 1)]

    def _read(self, cached: int, emit: Emit) -> Tensor | None:
        """The logits [V] after the prompt; None where the client left meanwhile."""

        def goes_on(done: int) -> bool:
            self.prefilled = done
            emit(Progress("prefill", cached + done, len(self._ids)))
            return self._goes_on()

        rest = self._ids[cached:]
        logits = generate.prefill(self._loaded.prefix, rest, goes_on=goes_on)
        if logits is not None:
            self.prefilled = len(rest)
        return logits

    def _say(self, logits: Tensor, emit: Emit) -> tuple[str, str]:
        """Emit the answer; returns the text that was held back, and why the answer ended."""
        decoder = Decoder(self._loaded.vocabulary.bytes_of)
        stopper = Stopper(self._request.stop)
        reason = "length"
        for token in self._tokens(logits):
            self.completed += 1
            if token in self._request.stop_ids:
                reason = "stop"
                break
            emit(Delta(stopper.feed(decoder.feed(token)), (token,)))
            if stopper.stopped:
                return "", "stop"
            if not self._goes_on():
                reason = "cancelled"
                break
        tail = stopper.feed(decoder.finish()) + stopper.finish()
        return tail, "stop" if stopper.stopped else reason

    def _tokens(self, logits: Tensor) -> Iterator[int]:
        model, sampling = self._loaded.model, self._request.sampling
        sampler = Sampler(
            sampling, self._ids, vocabulary_size=logits.shape[-1], device=logits.device
        )
        return generate.stream(
            self._loaded.prefix,
            logits,
            sampler,
            max_tokens=min(sampling.max_tokens, model.window - len(self._ids)),
            stop_ids=frozenset(self._request.stop_ids),
        )


def readable(loaded: Loaded, prompt: tuple[int, ...] | str) -> tuple[int, ...]:
    """The ids of a prompt that the model can read.

    Learned positions and embedding rows are looked up on the device, where one too far ends the
    process: raises `PromptTooLong` and `UsageError` before.
    """
    ids = tuple(loaded.vocabulary.text_ids(prompt)) if isinstance(prompt, str) else prompt
    window, rows = loaded.model.window, loaded.model.vocabulary_size
    if not ids:
        raise UsageError("`prompt` holds no token", "send a text or a list of token ids")
    if len(ids) >= window:
        raise PromptTooLong(
            f"The prompt is {len(ids)} tokens, and the window of `{loaded.name}` holds {window} "
            "with the answer",
            "shorten the question or what is piped in, or start a new conversation",
        )
    if max(ids) >= rows or min(ids) < 0:
        wrong = next(token for token in ids if not 0 <= token < rows)
        raise UsageError(
            f"`prompt` holds the id {wrong}, and `{loaded.name}` knows {rows} ids",
            "encode the prompt with the tokenizer of this model",
        )
    return ids

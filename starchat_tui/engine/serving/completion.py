"""Completion of one request: check the prompt, reuse its prefix, prefill, generate, stream.

It is computed in turns, of one forward pass each, so that several can run at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from typing import TypeAlias

from torch import Tensor

from starchat_tui.client.protocol import Delta, Progress, Request, Timings, Usage
from starchat_tui.engine import generate
from starchat_tui.engine.cache.prefix import PrefixCache
from starchat_tui.engine.detokenize import StopFilter, TokenDecoder
from starchat_tui.engine.sampling import Sampler
from starchat_tui.engine.serving.model_pool import LoadedModel
from starchat_tui.engine.speculation import Speculator
from starchat_tui.errors import PromptTooLong, UsageError
from starchat_tui.templates.length_check import require_fitting_text

EmitEvent: TypeAlias = Callable[[Delta | Progress], None]
Turns: TypeAlias = Generator[None, None, Delta]
"""Turns of a completion: one forward pass for each `next`; the value returned is the last delta."""


class Completion:
    """Completion of one request; runs on the thread that owns the device."""

    def __init__(
        self, loaded: LoadedModel, request: Request, *, keep_going: Callable[[], bool]
    ) -> None:
        """Prepare the completion; the prompt is checked here.

        Args:
            loaded: Model that answers.
            request: Prompt, sampling parameters and stop conditions.
            keep_going: Asked before each prefill chunk and after each token; false cancels. What
                the device computes in between cannot be interrupted.

        Raises `PromptTooLong` or `UsageError` for a prompt that the model cannot read.
        """
        self._loaded = loaded
        self.request = request
        self._keep_going = keep_going
        self._ids = encode_prompt(loaded, request.prompt)
        ends = frozenset() if request.ignore_eos else loaded.end_ids
        self._stop_ids = ends | frozenset(request.stop_ids)
        # The answer shares the window with the prompt and ends where the positions do.
        self._max_tokens = min(request.sampling.max_tokens, loaded.model.window - len(self._ids))
        self._speculator: Speculator | None = None
        self.prefilled_tokens = 0
        """Prompt tokens computed."""
        self.completion_tokens = 0
        """Tokens sampled, the stop token included."""

    def run(self, emit: EmitEvent, *, queued: float = 0.0) -> Delta:
        """Take all turns at once; return the last delta. For arguments and errors see `run_turns`.

        Raises what torch raises.
        """
        turns = self.run_turns(emit, queued=queued)
        while True:
            try:
                next(turns)
            except StopIteration as ended:
                last: Delta = ended.value
                return last

    def run_turns(self, emit: EmitEvent, *, queued: float = 0.0) -> Turns:
        """Emit progress and deltas in turns; return the last delta: reason, usage and timings.

        `queued` is the seconds that the request waited before the first turn. Raises what torch
        raises; the caches of all requests remain consistent.
        """
        started = time.monotonic()
        pool, length = self._loaded.cache_pool, len(self._ids) + self._max_tokens
        cache = pool.open(self._ids, length=length)
        try:
            cached = self._load_shared_prefix(cache)
            logits = yield from self._prefill_prompt(cache, emit)
            prefilled = time.monotonic()
            tail, reason = "", "cancelled"
            if logits is not None:
                tail, reason = yield from self._stream_answer(cache, logits, emit)
            # After the answer, so that writing the file does not delay its first token.
            self._save_shared_prefix(cache)
        finally:
            pool.close(cache)
        return Delta(
            text=tail,
            finish_reason=reason,
            usage=Usage(len(self._ids), self.completion_tokens, cached),
            timings=self._build_timings(queued, started, prefilled),
        )

    def _build_timings(self, queued: float, started: float, prefilled: float) -> Timings:
        """Return the timings of an answer that ends now; times are the monotonic clock's."""
        speculator = self._speculator
        return Timings(
            queued,
            prefilled - started,
            time.monotonic() - prefilled,
            proposed_tokens=speculator.proposed_tokens if speculator else 0,
            accepted_tokens=speculator.accepted_tokens if speculator else 0,
        )

    def _load_shared_prefix(self, cache: PrefixCache) -> int:
        """Return the number of prompt tokens taken from memory or from disk."""
        shared = self._get_shared_ids()
        # Memory first: it may know more of the prompt than the file, which ends with the part
        # that all conversations share.
        if len(cache.ids) < len(shared):
            kv = self._loaded.disk_cache.load(shared, self._loaded.model.device)
            if kv:
                cache.adopt_slice(shared, kv)
        return len(cache.ids)

    def _save_shared_prefix(self, cache: PrefixCache) -> None:
        shared = self._get_shared_ids()
        if shared and not self._loaded.disk_cache.contains(shared):
            # None where the prefill was cancelled before the end of the shared part.
            kv = cache.read_slice(len(shared))
            if kv:
                self._loaded.disk_cache.save(shared, kv)

    def _get_shared_ids(self) -> tuple[int, ...]:
        """Return the part of the prompt that every conversation begins with."""
        # At least one token is left to compute, for the logits of the first one to sample.
        return self._ids[: min(self.request.shared, len(self._ids) - 1)]

    def _prefill_prompt(
        self, cache: PrefixCache, emit: EmitEvent
    ) -> Generator[None, None, Tensor | None]:
        """Compute the prompt that follows the cached tokens; return the logits [V] of its last.

        A turn ends after each chunk but the last, which the first token follows at once. None if
        the request was cancelled meanwhile.
        """
        cached, rest = len(cache.ids), self._ids[len(cache.ids) :]
        chunks = generate.prefill_chunks(cache, rest)
        while True:
            emit(Progress("prefill", cached + self.prefilled_tokens, len(self._ids)))
            if not self._keep_going():
                return None
            self.prefilled_tokens, logits = next(chunks)
            if self.prefilled_tokens == len(rest):
                return logits
            yield

    def _stream_answer(
        self, cache: PrefixCache, logits: Tensor, emit: EmitEvent
    ) -> Generator[None, None, tuple[str, str]]:
        """Emit the answer, a delta in each turn; return the text held back and the finish reason.

        The reason is `stop`, `length` or `cancelled`, as in OpenAI's completions.
        """
        decoder = TokenDecoder(self._decode_token)
        stop_filter = StopFilter(self.request.stop)
        reason = "length"
        for tokens in self._decode_steps(cache, logits):
            text, ids = "", []
            for token in tokens:
                self.completion_tokens += 1
                if token in self._stop_ids:
                    reason = "stop"
                    break
                ids.append(token)
                text += stop_filter.feed(decoder.feed(token))
                if stop_filter.is_complete:
                    break
            if ids:
                emit(Delta(text, tuple(ids)))
            if stop_filter.is_complete:
                return "", "stop"
            if reason == "stop" or self.completion_tokens == self._max_tokens:
                break
            yield
            # After the turns of the others, so that a cancelled request computes nothing more.
            if not self._keep_going():
                reason = "cancelled"
                break
        # The replacement character of a cut-off character may complete a stop text, too.
        tail = stop_filter.feed(decoder.finish()) + stop_filter.finish()
        return tail, "stop" if stop_filter.is_complete else reason

    def _decode_token(self, token: int) -> bytes:
        """Return the bytes of a token; of a control token in mid-answer, those of its name."""
        # Left out, it would join two texts that the model has separated.
        tokenizer = self._loaded.tokenizer
        if tokenizer.is_control(token):
            return tokenizer.decode_with_controls((token,)).encode()
        return tokenizer.decode_token(token)

    def _decode_steps(self, cache: PrefixCache, logits: Tensor) -> Iterator[list[int]]:
        sampler = Sampler(
            self.request.sampling,
            self._ids,
            vocabulary_size=logits.shape[-1],
            device=logits.device,
        )
        # Proposals that are wrong must be dropped from the cache.
        if cache.is_rewindable:
            self._speculator = Speculator(self._ids, self._loaded.step_costs)
        return generate.decode_steps(
            cache,
            logits,
            sampler,
            max_tokens=self._max_tokens,
            stop_ids=self._stop_ids,
            speculator=self._speculator,
        )


def encode_prompt(loaded: LoadedModel, prompt: tuple[int, ...] | str) -> tuple[int, ...]:
    """Return the ids of a prompt, known to be readable by the model.

    Raises `PromptTooLong` if they leave no position of the window for the answer, and `UsageError`
    if there are none or the model has no embedding for one.
    """
    # Encoded as plain text: a text that spells a control token does not become one.
    window, rows = loaded.model.window, loaded.model.vocabulary_size
    if isinstance(prompt, str):
        # Everybody waits while the one thread of the device encodes a text.
        require_fitting_text(prompt, loaded.tokenizer, window)
        prompt = tuple(loaded.tokenizer.encode(prompt))
    ids = prompt
    if not ids:
        raise UsageError("`prompt` holds no token", "send a text or a list of token ids")
    # Both limits are those of tables on the device, where an index past the end is an assertion
    # that ends the process, and with it the answers of everybody else.
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

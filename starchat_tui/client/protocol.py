"""Values that an engine and its clients exchange.

Their JSON is in `request_json` (requests) and `response_json` (everything a server sends back).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HEARTBEAT_SECONDS = 10.0
"""Seconds without an event after which our engine sends a comment, to show that it is alive."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters, applied in Hugging Face's order: penalty, temperature, top-k, top-p."""

    max_tokens: int = 1024
    temperature: float = 0.2
    """0 selects the likeliest token (greedy)."""
    top_p: float = 0.95
    top_k: int = 50
    """0 keeps all tokens. Always sent, because the default of other servers differs."""
    repetition_penalty: float = 1.0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One completion request: ids (or text) in, at most `sampling.max_tokens` tokens out."""

    model: str
    prompt: tuple[int, ...] | str
    sampling: Sampling = Sampling()
    stop: tuple[str, ...] = ()
    stop_ids: tuple[int, ...] = ()
    stream: bool = True
    progress: bool = False
    """True to have queueing, loading and prefill reported in the stream."""
    shared: int = 0
    """Length in tokens of the prefix that all conversations share; our engine caches it on disk."""
    ignore_eos: bool = False
    """True to go on behind the model's own end tokens."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one completion."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Durations of one completion in seconds, measured by the engine, and what shortened them.

    The durations follow each other, and their sum is the time that the request spent there: where
    others run at the same time, the turns of those are included.
    """

    queued: float = 0.0
    prefill: float = 0.0
    decode: float = 0.0
    proposed_tokens: int = 0
    """Tokens that were computed on the guess that they follow (speculative decoding)."""
    accepted_tokens: int = 0
    """Proposed tokens that became part of the answer."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of the answer; the last one has `finish_reason`, and may have usage and timings."""

    text: str = ""
    ids: tuple[int, ...] = ()
    finish_reason: str | None = None
    """`stop`, `length`, `cancelled` or None."""
    usage: Usage | None = None
    timings: Timings | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of the engine before the first token."""

    stage: str
    """`starting`, `queued`, `importing`, `downloading`, `loading`, `warming` or `prefill`.

    `queued` counts queue positions (`done` 1 is next), `downloading` bytes, `prefill` tokens.
    """
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One entry of `/v1/models`."""

    name: str
    window: int
    """Context length in tokens; 0 if unknown before loading."""
    loaded: bool
    tokenizer: str = ""
    """Path of its tokenizer.json on the engine's machine."""
    bytes: int = 0
    """Size of the loaded weights in memory."""
    forward: str = ""
    """Forward pass that computes a loaded model, and why, with the quantization of its weights."""


@dataclass(frozen=True, slots=True)
class Health:
    """State of an engine; all fields are empty for a server of another kind."""

    engine: str = ""
    version: str = ""
    pid: int = 0
    state: str = ""
    """`starting`, `idle`, `busy` or `stopping`."""
    idle: float = 0.0
    """Seconds since the last answer."""
    keep_alive: float = 0.0
    """Seconds of idleness after which it exits; negative: never."""
    queue: int = 0
    """Number of waiting requests."""
    models: tuple[str, ...] = ()
    forwards: tuple[str, ...] = ()
    """Forward pass that computes each of the models, and why."""
    bytes: int = 0
    """Size of the loaded weights in memory."""
    prefilled_tokens: int = 0
    """Prompt tokens processed since it started."""
    generated_tokens: int = 0
    """Tokens generated since it started."""
    device: str = ""
    """The requested device; `auto` if it chose itself."""
    quantize: str = ""
    """The requested quantization of the weights."""


def merge_deltas(deltas: Sequence[Delta]) -> Delta:
    """Return the whole answer that `deltas` add up to."""
    return Delta(
        text="".join(delta.text for delta in deltas),
        ids=tuple(token for delta in deltas for token in delta.ids),
        finish_reason=next((d.finish_reason for d in deltas if d.finish_reason), None),
        usage=next((delta.usage for delta in deltas if delta.usage), None),
        timings=next((delta.timings for delta in deltas if delta.timings), None),
    )

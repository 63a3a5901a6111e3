"""Hand-written attention weights with which a model copies before its first training step.

Answers copy names and numbers from the question. The head that does so needs earlier heads that
find the preceding tokens, and from random weights neither had emerged after 2.7M tokens on a CPU.
So the pattern is written into the initial weights, and training goes on from there:

    layer 0, heads 0 to 3   attend to the position one to four tokens back and store its token:
                            one back in the `near` subspace, two to four back in `far`
    layer 1, head 0         attends to the position whose stored tokens are the current token and
                            the three before it, and copies the token at that position

One matching token is enough if there is no better match; four outweigh one, so that a digit that
occurs in two numbers, or a comma in a list, does not mislead the head. All other weights start at
random, except that the other heads of layer 1 start without an output; nothing is frozen. Source
of the circuit: Olsson et al., In-context Learning and Induction Heads (2022).
"""

from __future__ import annotations

import torch
from transformers import GPTBigCodeForCausalLM

TOKEN_STD, OTHER_STD = 0.08, 0.02
"""Standard deviation of the token embeddings in the dimensions that the heads read, and beyond."""
WAVE_AMPLITUDE = 0.2
"""Amplitude of the sines and cosines in the position embeddings."""
FASTEST_FREQUENCY, FREQUENCY_RATIO = 1.5, 500.0
"""The highest frequency, in radians per token, and its ratio to the lowest."""
POSITION_SHARPNESS = 12.0
"""Attention score of the target position minus that of its neighbours, in layer 0."""
MATCH_SCORE, EARLIER_SHARE = 20.0, 0.95
"""Attention score of one matching token in layer 1, and the factor for each token further back."""
COPY_GAIN = 16.0
"""Scale at which a copied token is written to the residual stream."""


def compute_frequencies(head: int) -> torch.Tensor:
    """Return the frequencies [head / 2] of the position embeddings, in radians per token."""
    half = head // 2
    return FASTEST_FREQUENCY * FREQUENCY_RATIO ** (-torch.arange(half) / (half - 1))


def build_position_waves(positions: int, head: int) -> torch.Tensor:
    """Return the initial position embeddings [positions, head]: sines, then cosines."""
    angles = torch.arange(positions)[:, None] * compute_frequencies(head)
    return WAVE_AMPLITUDE * torch.cat([angles.sin(), angles.cos()], 1)


def build_shift_rotation(head: int, tokens: int) -> torch.Tensor:
    """Return the matrix [head, head] that maps a position's waves to those `tokens` earlier.

    A shift in time rotates each pair of sine and cosine by its frequency times the shift.
    """
    angles = compute_frequencies(head) * tokens
    cos, sin = angles.cos().diag(), angles.sin().diag()
    return torch.cat([torch.cat([cos, -sin], 1), torch.cat([sin, cos], 1)]).T


@torch.no_grad()
def install_copy_heads(model: GPTBigCodeForCausalLM, *, seed: int) -> None:
    """Write the copying heads into a new model of at least two layers.

    The residual stream [width] holds four subspaces, each as wide as a head: the position, the
    token, and two for stored tokens. A model of fewer than four heads is too narrow for all of
    them, and some share their dimensions.
    """
    config = model.config
    width, head = config.n_embd, config.n_embd // config.n_head
    generator = torch.Generator().manual_seed(seed)
    body = model.transformer
    position, token, near, far = _build_subspaces(width, head, generator)
    body.wpe.weight.zero_()
    body.wpe.weight[:, :head] = build_position_waves(len(body.wpe.weight), head)
    body.wte.weight.normal_(0, OTHER_STD, generator=generator)
    body.wte.weight[:, :head] = 0
    strong = torch.randn(len(body.wte.weight), head, generator=generator) * TOKEN_STD
    body.wte.weight.add_(strong @ token.T)

    norm = float((body.wte.weight.square().mean() + body.wpe.weight.square().mean()).sqrt())
    slow = (1 - compute_frequencies(head).cos()).sum() * (WAVE_AMPLITUDE / norm) ** 2
    sharp = (POSITION_SHARPNESS * head**0.5 / slow) ** 0.5
    # Three stored tokens share the subspace `far`, each rotated once more than the one before, so
    # that one rotation of the query aligns all of them and keeps them apart.
    turn = torch.linalg.qr(torch.randn(head, head, generator=generator)).Q
    stored = [near, far, far @ turn.T, far @ turn.T @ turn.T]
    # The layer norm before attention divides by about `norm`: outputs are scaled up by it.
    _write_attention(
        body.get_submodule("h.0.attn"),
        [position @ build_shift_rotation(head, tokens) * sharp for tokens in (1, 2, 3, 4)],
        position * sharp,
        token,
        [subspace * norm for subspace in stored],
    )
    match = (MATCH_SCORE / head**0.5) ** 0.5 * compute_residual_std(norm) / TOKEN_STD
    asked = token + EARLIER_SHARE * near @ turn + EARLIER_SHARE**2 * far @ turn @ turn
    offered = near + far @ turn
    _write_attention(
        body.get_submodule("h.1.attn"),
        [asked * match],
        offered * match,
        token,
        [token * compute_residual_std(norm) * COPY_GAIN],
    )


def compute_residual_std(norm: float) -> float:
    """Return the standard deviation of the residual stream after layer 0 has stored its tokens."""
    return float((norm**2 + 0.75 * TOKEN_STD**2) ** 0.5)


def _build_subspaces(width: int, head: int, generator: torch.Generator) -> list[torch.Tensor]:
    """Return orthonormal bases [width, head] for position, token, and near and far tokens."""
    left = width - head
    subspaces = [torch.eye(width)[:, :head]]
    basis = torch.linalg.qr(torch.randn(left, left, generator=generator)).Q
    for index in range(3):
        start = index * head if (index + 1) * head <= left else 0
        subspaces.append(torch.cat([torch.zeros(head, head), basis[:, start : start + head]]))
    return subspaces


def _write_attention(
    attention: torch.nn.Module,
    queries: list[torch.Tensor],
    key: torch.Tensor,
    value: torch.Tensor,
    outs: list[torch.Tensor],
) -> None:
    """Set the maps [width, head] of the first heads and of the shared key and value.

    The output projection is cleared first: heads without a map contribute nothing until trained.
    """
    width, head = key.shape
    rows = attention.get_parameter("c_attn.weight")
    mix = attention.get_parameter("c_proj.weight")
    rows[width : width + head] = key.T
    rows[width + head :] = value.T
    mix.zero_()
    for index, (query, out) in enumerate(zip(queries, outs, strict=True)):
        if (index + 1) * head > width:
            break
        rows[index * head : (index + 1) * head] = query.T
        mix[:, index * head : (index + 1) * head] = out

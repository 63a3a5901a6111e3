"""Weights to start from in which copying is there already.

Answers copy names and numbers from the question. A head that does so rests on others before it that
find the tokens just before, and from random weights none had come about after 2.7M tokens on a CPU.
So they are written down at the start and training goes on from there:

    layer 0, heads 0 to 3   attend one to four tokens back, and note what stood there
    layer 1, head 0         looks for the place whose notes are the current token and the three
                            before it, and repeats what stood there

One token that agrees is enough where nothing better is found; four win over one, so that the same
digit in two numbers, or the same comma in a list, does not lead astray. Everything else starts at
random, as usual; nothing is fixed. Source of the circuit: Olsson et al., In-context Learning and
Induction Heads (2022).
"""

from __future__ import annotations

import torch
from transformers import GPTBigCodeForCausalLM

STRONG, WEAK = 0.08, 0.02
"""Deviation of the tokens' vectors in the dimensions that the circuit reads, and in the others."""
WAVE = 0.2
"""Amplitude of the positions' waves."""
FASTEST, SPAN = 1.5, 500.0
"""The fastest wave, in radians a token, and how many times slower the slowest is."""
SHARPNESS = 12.0
"""By how much the score of the token looked for exceeds that of its neighbours."""
MATCH, EARLIER = 20.0, 0.95
"""The score of one token that agrees, and the share of it that the earlier of two tokens has."""
GAIN = 16.0
"""How loudly a copied token is repeated."""


def rates(head: int) -> torch.Tensor:
    """The waves' frequencies [head / 2], in radians a token."""
    half = head // 2
    return FASTEST * SPAN ** (-torch.arange(half) / (half - 1))


def waves(positions: int, head: int) -> torch.Tensor:
    """Sines and cosines [positions, head] that positions start from."""
    angles = torch.arange(positions)[:, None] * rates(head)
    return WAVE * torch.cat([angles.sin(), angles.cos()], 1)


def back(head: int, tokens: int) -> torch.Tensor:
    """The turn [head, head] that makes a position's waves those of so many tokens before."""
    angles = rates(head) * tokens
    cos, sin = angles.cos().diag(), angles.sin().diag()
    return torch.cat([torch.cat([cos, -sin], 1), torch.cat([sin, cos], 1)]).T


@torch.no_grad()
def install(model: GPTBigCodeForCausalLM, *, seed: int) -> None:
    """Write the circuit into a fresh model of at least two layers.

    The residual stream [width] holds the position first, then what the token is, then both notes,
    each as wide as a head; a model of fewer than four heads has less room, and shares it.
    """
    config = model.config
    width, head = config.n_embd, config.n_embd // config.n_head
    dice = torch.Generator().manual_seed(seed)
    body = model.transformer
    place, token, *notes = _rooms(width, head, dice)
    body.wpe.weight.zero_()
    body.wpe.weight[:, :head] = waves(len(body.wpe.weight), head)
    body.wte.weight.normal_(0, WEAK, generator=dice)
    body.wte.weight[:, :head] = 0
    strong = torch.randn(len(body.wte.weight), head, generator=dice) * STRONG
    body.wte.weight.add_(strong @ token.T)

    norm = float((body.wte.weight.square().mean() + body.wpe.weight.square().mean()).sqrt())
    slow = (1 - rates(head).cos()).sum() * (WAVE / norm) ** 2
    sharp = (SHARPNESS * head**0.5 / slow) ** 0.5
    turn = torch.linalg.qr(torch.randn(head, head, generator=dice)).Q
    near, far = notes
    kept = [near, far, far @ turn.T, far @ turn.T @ turn.T]
    _write(
        body.get_submodule("h.0.attn"),
        [place @ back(head, tokens) * sharp for tokens in (1, 2, 3, 4)],
        place * sharp,
        token,
        [note * norm for note in kept],
    )
    # The later notes lie turned over the second, so that one turn tells all of them apart.
    match = (MATCH / head**0.5) ** 0.5 * after(norm) / STRONG
    asked = token + EARLIER * near @ turn + EARLIER**2 * far @ turn @ turn
    offered = near + far @ turn
    _write(
        body.get_submodule("h.1.attn"),
        [asked * match],
        offered * match,
        token,
        [token * after(norm) * GAIN],
    )


def after(norm: float) -> float:
    """The deviation of the residual stream once the notes are in it."""
    return float((norm**2 + 0.75 * STRONG**2) ** 0.5)


def _rooms(width: int, head: int, dice: torch.Generator) -> list[torch.Tensor]:
    """Orthonormal frames [width, head]: the position's, the token's, and those of both notes."""
    left = width - head
    rooms = [torch.eye(width)[:, :head]]
    basis = torch.linalg.qr(torch.randn(left, left, generator=dice)).Q
    for index in range(3):
        start = index * head if (index + 1) * head <= left else 0
        rooms.append(torch.cat([torch.zeros(head, head), basis[:, start : start + head]]))
    return rooms


def _write(
    attention: torch.nn.Module,
    queries: list[torch.Tensor],
    key: torch.Tensor,
    value: torch.Tensor,
    outs: list[torch.Tensor],
) -> None:
    """Give the first heads, and the one key and value, their maps, each [width, head]."""
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

"""Weights to start from in which copying is there already.

Answers copy names and numbers from the question. A head that does so rests on one before it that
finds the previous token, and from random weights neither had come about after 2.7M tokens on a CPU.
So both are written down at the start and training goes on from there:

    layer 0, head 0   attends to the token before, and notes what it was
    layer 1, head 0   looks for the last place whose note is the current token, and repeats what
                      stood there

Everything else starts at random, as usual; nothing is fixed. Source of the circuit: Olsson et al.,
In-context Learning and Induction Heads (2022).
"""

from __future__ import annotations

import torch
from transformers import GPTBigCodeForCausalLM

TOKEN_DEVIATION = 0.05
WAVE = 0.2
"""Amplitude of the positions' waves."""
FASTEST, SPAN = 1.5, 500.0
"""The fastest wave, in radians a token, and how many times slower the slowest is."""
SHARPNESS = 6.0
"""By how much the score of the token before exceeds that of its neighbours."""
MATCH = 0.3
"""The score of a match, for each dimension of a head."""
GAIN = 10.0
"""How loudly a copied token is repeated."""


def rates(head: int) -> torch.Tensor:
    """The waves' frequencies [head / 2], in radians a token."""
    half = head // 2
    return FASTEST * SPAN ** (-torch.arange(half) / (half - 1))


def waves(positions: int, head: int) -> torch.Tensor:
    """Sines and cosines [positions, head] that positions start from."""
    angles = torch.arange(positions)[:, None] * rates(head)
    return WAVE * torch.cat([angles.sin(), angles.cos()], 1)


def one_back(head: int) -> torch.Tensor:
    """The turn [head, head] that makes a position's waves those of the position before."""
    cos, sin = rates(head).cos().diag(), rates(head).sin().diag()
    return torch.cat([torch.cat([cos, -sin], 1), torch.cat([sin, cos], 1)]).T


@torch.no_grad()
def install(model: GPTBigCodeForCausalLM, *, seed: int) -> None:
    """Write both heads into a fresh model of at least two layers."""
    width, head = model.config.n_embd, model.config.n_embd // model.config.n_head
    dice = torch.Generator().manual_seed(seed)
    body = model.transformer
    body.wte.weight.normal_(0, TOKEN_DEVIATION, generator=dice)
    body.wte.weight[:, :head] = 0
    body.wpe.weight.zero_()
    body.wpe.weight[:, :head] = waves(len(body.wpe.weight), head)
    norm = float((body.wte.weight.square().mean() + body.wpe.weight.square().mean()).sqrt())
    token, note = _view(width, head, dice), _view(width, head, dice)

    place = torch.eye(width)[:, :head]
    turned = place @ one_back(head)
    height = (1 - rates(head).cos()).sum() * (WAVE / norm) ** 2
    sharp = (SHARPNESS * head**0.5 / height) ** 0.5
    read = token * norm / TOKEN_DEVIATION
    _write(
        body.get_submodule("h.0.attn"), turned * sharp, place * sharp, read, note * TOKEN_DEVIATION
    )

    match = (MATCH * head**0.5) ** 0.5
    noted = note * norm / TOKEN_DEVIATION
    _write(
        body.get_submodule("h.1.attn"),
        read * match,
        noted * match,
        read,
        token * TOKEN_DEVIATION * GAIN,
    )


def _view(width: int, head: int, dice: torch.Generator) -> torch.Tensor:
    """Orthonormal columns [width, head] in the dimensions that positions leave to tokens."""
    turn = torch.linalg.qr(torch.randn(width - head, width - head, generator=dice)).Q
    return torch.cat([torch.zeros(head, head), turn[:, :head]])


def _write(
    attention: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    out: torch.Tensor,
) -> None:
    """Give head 0, and the key and value that all heads share, their maps, each [width, head]."""
    width, head = query.shape
    rows = attention.get_parameter("c_attn.weight")
    mix = attention.get_parameter("c_proj.weight")
    rows[:head] = query.T
    rows[width : width + head] = key.T
    rows[width + head :] = value.T
    mix.zero_()
    mix[:, :head] = out

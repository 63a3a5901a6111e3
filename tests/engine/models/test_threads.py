"""Number of threads of a model: measured, and fewer of them where more bring little."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from starchat_tui.engine.models.interface import CausalLM
from starchat_tui.engine.models.threads import choose_thread_count


class TimedModel:
    """Model whose decode step takes as long as a table says for the present number of threads."""

    def __init__(self, seconds: dict[int, float], device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.seconds, self.now, self.steps = seconds, 0.0, 0

    def new_cache(self) -> Any:
        return SimpleNamespace(length=0)

    def forward(self, ids: Sequence[int], cache: Any) -> Tensor:
        self.steps += 1
        self.now += self.seconds[torch.get_num_threads()]
        return torch.zeros(1)


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Any:
    def choose(seconds: dict[int, float], most: int, device: str = "cpu") -> tuple[int, int]:
        model = TimedModel(seconds, device)
        monkeypatch.setattr(time, "perf_counter", lambda: model.now)
        return choose_thread_count(cast(CausalLM, model), most), model.steps

    return choose


@pytest.mark.parametrize(
    ("seconds", "most", "expected"),
    [
        ({1: 0.002, 2: 0.003}, 2, 1),
        ({1: 0.002, 2: 0.0019}, 2, 1),
        ({1: 0.020, 2: 0.012}, 2, 2),
        ({1: 0.020, 2: 0.012, 4: 0.011, 6: 0.008}, 6, 6),
        ({1: 0.020, 2: 0.012, 4: 0.009, 6: 0.030}, 6, 4),
    ],
)
def test_more_threads_are_taken_for_a_clear_gain(
    choose: Any, seconds: dict[int, float], most: int, expected: int
) -> None:
    present = torch.get_num_threads()
    assert choose(seconds, most)[0] == expected
    assert torch.get_num_threads() == present


def test_a_heavy_model_has_all_threads_after_two_steps(choose: Any) -> None:
    assert choose({1: 0.9, 8: 0.2}, 8) == (8, 2)


def test_nothing_is_measured_without_a_choice(choose: Any) -> None:
    assert choose({}, 1) == (1, 0)
    assert choose({}, 8, "cuda") == (8, 0)

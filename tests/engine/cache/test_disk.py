"""Prefixes on disk: a fresh engine reads the shared prompt from a file, and only from its own."""

from __future__ import annotations

import os
import random
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from starchat_tui.client.protocol import Delta, Progress, Request, Sampling
from starchat_tui.engine.cache.disk import SHORTEST, Store, key_of
from starchat_tui.engine.models.hub_model import Reference
from starchat_tui.engine.models.weights import check
from starchat_tui.engine.serving.completion import Answer
from starchat_tui.engine.serving.model_pool import Loaded, Shelf

CPU = torch.device("cpu")
FEW_SHOT = tuple(random.Random(0).choices(range(256), k=300))


def loaded(folder: Path, cache: Path) -> Loaded:
    """The model as a fresh engine has it."""
    shelf = Shelf(device="cpu", cache=cache)
    return shelf.get(str(folder), lambda stage, done, total: None)


def asked(engine: Loaded, *ids: int, shared: int = len(FEW_SHOT)) -> tuple[list[int], int, int]:
    """The answer's ids, the tokens reused, and the tokens computed."""
    events: list[Delta | Progress] = []
    request = Request("m", (*FEW_SHOT, *ids), Sampling(10, seed=1), shared=shared)
    answer = Answer(engine, request, goes_on=lambda: True)
    usage = answer.run(events.append).usage
    assert usage
    said = [token for event in events if isinstance(event, Delta) for token in event.ids]
    return said, usage.cached_tokens, answer.prefilled


def test_a_fresh_engine_does_not_read_the_shared_prompt(tiny_folder: Path, tmp_path: Path) -> None:
    first, cached, computed = asked(loaded(tiny_folder, tmp_path), 1, 2, 3)
    assert (cached, computed) == (0, 303)
    again, cached, computed = asked(loaded(tiny_folder, tmp_path), 1, 2, 3)
    assert (cached, computed) == (300, 3)
    assert again == first
    other, cached, _ = asked(loaded(tiny_folder, tmp_path / "elsewhere"), 9)
    assert cached == 0
    engine = loaded(tiny_folder, tmp_path)
    assert asked(engine, 9)[:2] == (other, 300)
    assert asked(engine, 9, 8)[1] == 301, "from then on memory serves"


def test_logits_after_the_file_are_those_of_a_full_recompute(
    tiny_folder: Path, tmp_path: Path, reference: Reference
) -> None:
    asked(loaded(tiny_folder, tmp_path), 1)
    engine = loaded(tiny_folder, tmp_path)
    run = engine.store.load(FEW_SHOT, CPU)
    assert run
    engine.prefix.adopt(FEW_SHOT, run)
    found = engine.prefix.extend([7, 8])
    expected = reference.extend([*FEW_SHOT, 7, 8], reference.new_cache())
    assert (found - expected).abs().max() < 1e-4


def test_nothing_else_is_written(tiny_folder: Path, tmp_path: Path) -> None:
    engine = loaded(tiny_folder, tmp_path)
    asked(engine, 1, shared=0)
    asked(engine, 1, shared=SHORTEST - 1)
    assert not (tmp_path / "prefixes").exists()
    asked(engine, 1)
    (file,) = (tmp_path / "prefixes").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_damaged_file_is_read_anew(tiny_folder: Path, tmp_path: Path, share: float) -> None:
    first, *_ = asked(loaded(tiny_folder, tmp_path), 1)
    (file,) = (tmp_path / "prefixes").iterdir()
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    assert asked(loaded(tiny_folder, tmp_path), 1)[:2] == (first, 0)
    assert file.read_bytes()[-64:] == data[-64:], "and written anew"


def test_the_key_names_all_that_a_prefix_depends_on(tiny_folder: Path, tmp_path: Path) -> None:
    checkpoint = check(tiny_folder)
    key = key_of(checkpoint, torch.float32, "none")
    assert key == key_of(check(tiny_folder), torch.float32, "none")
    others = {
        key_of(checkpoint, torch.float16, "none"),
        key_of(checkpoint, torch.float32, "int8"),
        key_of(replace(checkpoint, config={}), torch.float32, "none"),
        key_of(replace(checkpoint, files=(tiny_folder / "config.json",)), torch.float32, "none"),
    }
    assert len(others) == 4
    assert key not in others


def run_of(tokens: int) -> tuple[torch.Tensor, ...]:
    return (torch.ones(1, 1, tokens, 4), torch.zeros(1, 1, tokens, 4))


def test_the_oldest_files_leave_a_full_directory(tmp_path: Path) -> None:
    size = 2 * SHORTEST * 4 * 4
    store = Store(tmp_path / "prefixes", "key", budget=int(2.5 * size))
    prompts = [range(first, first + SHORTEST) for first in range(3)]
    for age, ids in enumerate(prompts):
        store.save(ids, run_of(SHORTEST))
        for path in (tmp_path / "prefixes").iterdir():
            if path.stat().st_mtime > 1_000_000_000:
                os.utime(path, (age, age))
        assert store.load(prompts[0], CPU) or age == 2
        for path in (tmp_path / "prefixes").iterdir():
            if path.stat().st_mtime > 1_000_000_000:
                os.utime(path, (10, 10))
    assert [store.has(ids) for ids in prompts] == [True, False, True]
    assert Store(tmp_path / "prefixes", "other").load(prompts[0], CPU) is None


def test_a_disk_that_refuses_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "prefixes").write_text("a file where the directory would be")
    store = Store(tmp_path / "prefixes", "key")
    store.save(range(SHORTEST), run_of(SHORTEST))
    assert store.load(range(SHORTEST), CPU) is None

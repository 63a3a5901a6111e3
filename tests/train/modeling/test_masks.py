from __future__ import annotations

from random import Random

import pytest
import torch

from starchat_tui.errors import ConfigError
from starchat_tui.templates.tokenizer import Vocabulary
from tests.train.forest import forest, tensors, tiny_model
from train.data.collator import Collator
from train.data.encode import encode
from train.data.packing import Row, pack
from train.data.trees import paths
from train.modeling.masks import allow_flex, attention_4d, flex_block_mask, held, varlen

EXACT = {"sdpa": 1e-9, "eager": 1e-4}
"""The largest difference of logits that is rounding; the softmax of `eager` is not in double."""


def by_hand(exits: torch.Tensor) -> torch.Tensor:
    rows, length = exits.shape
    made = torch.zeros(rows, 1, length, length, dtype=torch.bool)
    for row in range(rows):
        for i in range(length):
            for j in range(length):
                made[row, 0, i, j] = j <= i < int(exits[row, j])
    return made


def packed(vocabulary: Vocabulary, seed: int = 0, count: int = 8) -> list[Row]:
    encoded = [encode(one, vocabulary) for one in forest(Random(seed), count)]
    return pack(encoded, 2 * max(map(len, encoded)))


def test_a_token_attends_what_has_not_ended() -> None:
    exits = torch.tensor([[5, 3, 3, 5, 5, 6], [1, 2, 3, 4, 5, 6]])
    assert attention_4d(exits).equal(by_hand(exits))


def test_the_added_form_is_zero_where_attended() -> None:
    exits = torch.tensor([[5, 3, 3, 5, 5, 6]])
    added = attention_4d(exits, dtype=torch.float32)
    assert (added == 0).equal(by_hand(exits))
    assert added.min() == torch.finfo(torch.float32).min


def test_every_token_attends_itself(small: Vocabulary) -> None:
    for row in packed(small):
        seen = attention_4d(tensors(row)["exits"])[0, 0]
        assert seen.diagonal().all()


@pytest.mark.parametrize("kind", ["sdpa", "eager"])
@pytest.mark.parametrize("seed", range(3))
def test_a_packed_row_of_trees_gives_each_dialogues_own_logits(
    small: Vocabulary, seed: int, kind: str
) -> None:
    model = tiny_model(len(small), kind=kind).eval()  # type: ignore[no-untyped-call]
    trees = list(forest(Random(seed), 6))
    row = pack([encode(one, small) for one in trees], 4096)[0]
    given = tensors(row)
    # `eager` adds its mask, so it has to be given the other form.
    mask = attention_4d(given["exits"], dtype=torch.float64 if kind == "eager" else None)
    with torch.no_grad():
        together = model(
            input_ids=given["ids"].long(),
            position_ids=given["positions"].long(),
            attention_mask=mask,
        ).logits[0]
        seen = attention_4d(given["exits"])[0, 0]
        for path in (path for tree in trees for path in paths(tree)):
            ids = torch.from_numpy(encode(path, small).ids)[None].long()
            alone = model(input_ids=ids).logits[0]
            at = next(
                seen[last].nonzero().flatten()
                for last in range(seen.shape[0])
                if row.ids[seen[last].numpy()].tolist() == ids[0].tolist()
            )
            assert (together[at] - alone).abs().max() < EXACT[kind]


def test_the_wrong_forms_are_wrong(small: Vocabulary) -> None:
    """What `held` refuses does let dialogues mix; were it exact, there would be nothing to hold."""
    row = pack([encode(one, small) for one in forest(Random(0), 4)], 4096)[0]
    given = tensors(row)
    ids, positions = given["ids"].long(), given["positions"].long()
    mask = attention_4d(given["exits"])

    def logits(kind: str, **how: object) -> torch.Tensor:
        model = tiny_model(len(small), kind=kind).eval()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            found = model(input_ids=ids, position_ids=positions, **how).logits
        assert isinstance(found, torch.Tensor)
        return found

    right = logits("sdpa", attention_mask=mask)
    added = attention_4d(given["exits"], dtype=torch.float64)
    assert (logits("eager", attention_mask=added) - right).abs().max() < EXACT["eager"]
    assert (logits("sdpa", attention_mask=torch.ones_like(ids)) - right).abs().max() > 0.01
    assert (logits("sdpa", use_cache=True) - right).abs().max() > 0.01
    assert (logits("eager", attention_mask=mask) - right).abs().max() > 0.01


# Importing the compiler warns about what torch itself still uses; compiling takes a minute.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*script_method.*:DeprecationWarning")
def test_flex_attention_is_exact_in_one_row_and_in_many(small: Vocabulary) -> None:
    allow_flex()
    rows = packed(small, count=6)[:3]
    batch = Collator(4096, 0)(rows)
    bare = Collator(4096, 0, form="exits")(rows)
    plain, flex = (
        tiny_model(len(small), kind=kind, dtype=torch.float32).eval()  # type: ignore[no-untyped-call]
        for kind in ("sdpa", "flex_attention")
    )
    keep = ("input_ids", "position_ids")
    with torch.no_grad():
        right = plain(
            **{name: batch[name] for name in keep}, attention_mask=batch["attention_mask"]
        ).logits
        found = flex(
            **{name: bare[name] for name in keep}, attention_mask=flex_block_mask(bare["exits"])
        ).logits
    assert (found - right).abs().max() < 1e-4


def test_the_form_follows_the_attention() -> None:
    allow_flex()
    assert held(tiny_model(64)) == "dense"
    assert held(tiny_model(64, kind="flex_attention")) == "exits"


def test_attention_that_would_mix_is_refused() -> None:
    with pytest.raises(ConfigError, match="eager"):
        held(tiny_model(64, kind="eager"))


def test_a_cache_is_refused() -> None:
    model = tiny_model(64)
    model.config.use_cache = True
    with pytest.raises(ConfigError, match="use_cache") as caught:
        held(model)
    assert "False" in caught.value.hint


def test_flash_attention_gets_the_bounds_of_dialogues() -> None:
    found = varlen(torch.tensor([[0, 1, 2, 0, 0, 1]]))
    assert found["cu_seq_lens_q"].tolist() == found["cu_seq_lens_k"].tolist() == [0, 3, 4, 6]
    assert found["cu_seq_lens_q"].dtype == torch.int32
    assert (found["max_length_q"], found["max_length_k"]) == (3, 3)


def test_flash_attention_refuses_trees(small: Vocabulary) -> None:
    row = next(
        found
        for found in packed(small)
        if any(a >= b > 0 for a, b in zip(found.positions, found.positions[1:], strict=False))
    )
    with pytest.raises(ConfigError, match="branches"):
        varlen(tensors(row)["positions"])

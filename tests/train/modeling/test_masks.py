from __future__ import annotations

from random import Random

import pytest
import torch

from starchat_tui.errors import ConfigError
from starchat_tui.templates.tokenizer import Tokenizer
from tests.train.random_trees import create_tiny_model, generate_trees, row_tensors
from train.data.collator import Collator
from train.data.encode import encode_tree
from train.data.packing import PackedRow, pack_rows
from train.data.trees import iterate_paths
from train.modeling.masks import (
    build_block_mask,
    build_dense_mask,
    enable_flex_attention,
    require_mask_form,
)

EXACT = {"sdpa": 1e-9, "eager": 1e-4}
"""The largest difference of logits that is rounding; the softmax of `eager` is not in double."""


def mask_by_definition(exits: torch.Tensor) -> torch.Tensor:
    rows, length = exits.shape
    made = torch.zeros(rows, 1, length, length, dtype=torch.bool)
    for row in range(rows):
        for i in range(length):
            for j in range(length):
                made[row, 0, i, j] = j <= i < int(exits[row, j])
    return made


def pack_random_trees(tokenizer: Tokenizer, seed: int = 0, count: int = 8) -> list[PackedRow]:
    encoded = [encode_tree(one, tokenizer) for one in generate_trees(Random(seed), count)]
    return pack_rows(encoded, 2 * max(map(len, encoded)))


def test_a_token_attends_to_messages_that_have_not_ended() -> None:
    exits = torch.tensor([[5, 3, 3, 5, 5, 6], [1, 2, 3, 4, 5, 6]])
    assert build_dense_mask(exits).equal(mask_by_definition(exits))


def test_the_additive_mask_is_zero_where_attended() -> None:
    exits = torch.tensor([[5, 3, 3, 5, 5, 6]])
    added = build_dense_mask(exits, dtype=torch.float32)
    assert (added == 0).equal(mask_by_definition(exits))
    assert added.min() == torch.finfo(torch.float32).min


def test_every_token_attends_to_itself(small: Tokenizer) -> None:
    for row in pack_random_trees(small):
        seen = build_dense_mask(row_tensors(row)["exits"])[0, 0]
        assert seen.diagonal().all()


@pytest.mark.parametrize("kind", ["sdpa", "eager"])
@pytest.mark.parametrize("seed", range(3))
def test_a_packed_row_of_trees_gives_each_dialogues_own_logits(
    small: Tokenizer, seed: int, kind: str
) -> None:
    model = create_tiny_model(len(small), kind=kind).eval()  # type: ignore[no-untyped-call]
    trees = list(generate_trees(Random(seed), 6))
    row = pack_rows([encode_tree(one, small) for one in trees], 4096)[0]
    given = row_tensors(row)
    # `eager` adds its mask, so it has to be given the other form.
    mask = build_dense_mask(given["exits"], dtype=torch.float64 if kind == "eager" else None)
    with torch.no_grad():
        together = model(
            input_ids=given["ids"].long(),
            position_ids=given["positions"].long(),
            attention_mask=mask,
        ).logits[0]
        seen = build_dense_mask(given["exits"])[0, 0]
        for path in (path for tree in trees for path in iterate_paths(tree)):
            ids = torch.from_numpy(encode_tree(path, small).ids)[None].long()
            alone = model(input_ids=ids).logits[0]
            at = next(
                seen[last].nonzero().flatten()
                for last in range(seen.shape[0])
                if row.ids[seen[last].numpy()].tolist() == ids[0].tolist()
            )
            assert (together[at] - alone).abs().max() < EXACT[kind]


def test_the_refused_forms_are_wrong(small: Tokenizer) -> None:
    """Dialogues do mix with the forms that `require_mask_form` refuses."""
    row = pack_rows([encode_tree(one, small) for one in generate_trees(Random(0), 4)], 4096)[0]
    given = row_tensors(row)
    ids, positions = given["ids"].long(), given["positions"].long()
    mask = build_dense_mask(given["exits"])

    def logits(kind: str, **how: object) -> torch.Tensor:
        model = create_tiny_model(len(small), kind=kind).eval()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            found = model(input_ids=ids, position_ids=positions, **how).logits
        assert isinstance(found, torch.Tensor)
        return found

    right = logits("sdpa", attention_mask=mask)
    added = build_dense_mask(given["exits"], dtype=torch.float64)
    assert (logits("eager", attention_mask=added) - right).abs().max() < EXACT["eager"]
    assert (logits("sdpa", attention_mask=torch.ones_like(ids)) - right).abs().max() > 0.01
    assert (logits("sdpa", use_cache=True) - right).abs().max() > 0.01
    assert (logits("eager", attention_mask=mask) - right).abs().max() > 0.01


# torch compiles the kernel in C++, and finds the compiler by distutils.
@pytest.mark.filterwarnings("ignore:The distutils package is deprecated:DeprecationWarning")
# Importing the compiler warns about what torch itself still uses; compiling takes a minute.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*script_method.*:DeprecationWarning")
def test_flex_attention_is_exact_in_one_row_and_in_many(small: Tokenizer) -> None:
    enable_flex_attention()
    rows = pack_random_trees(small, count=6)[:3]
    batch = Collator(4096, 0)(rows)
    bare = Collator(4096, 0, form="exits")(rows)
    plain, flex = (
        create_tiny_model(len(small), kind=kind, dtype=torch.float32).eval()  # type: ignore[no-untyped-call]
        for kind in ("sdpa", "flex_attention")
    )
    keep = ("input_ids", "position_ids")
    with torch.no_grad():
        right = plain(
            **{name: batch[name] for name in keep}, attention_mask=batch["attention_mask"]
        ).logits
        found = flex(
            **{name: bare[name] for name in keep}, attention_mask=build_block_mask(bare["exits"])
        ).logits
    assert (found - right).abs().max() < 1e-4


def test_the_form_follows_the_attention() -> None:
    enable_flex_attention()
    assert require_mask_form(create_tiny_model(64)) == "dense"
    assert require_mask_form(create_tiny_model(64, kind="flex_attention")) == "exits"


def test_attention_that_would_mix_is_refused() -> None:
    with pytest.raises(ConfigError, match="eager"):
        require_mask_form(create_tiny_model(64, kind="eager"))


def test_a_cache_is_refused() -> None:
    model = create_tiny_model(64)
    model.config.use_cache = True
    with pytest.raises(ConfigError, match="use_cache") as caught:
        require_mask_form(model)
    assert "False" in caught.value.hint

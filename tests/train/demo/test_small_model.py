"""The small model: its loss, and its export in half precision."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from starchat_tui.templates.template import IGNORE_INDEX
from train.demo import pretrain_data, sizes, small_model
from train.modeling import compute

SHAPE = sizes.ModelShape(n_embd=32, n_layer=2, n_head=2, n_positions=256)


def test_the_loss_is_that_of_transformers_on_learned_labels() -> None:
    made = small_model.create_model(SHAPE, vocabulary=64, end_of_text=0, seed=1)
    ids = torch.randint(0, 64, (2, 40), generator=torch.Generator().manual_seed(0))
    labels = ids.clone()
    labels[:, 5:20] = IGNORE_INDEX
    positions = torch.arange(40)[None].expand(2, 40)
    with torch.no_grad():
        ours = small_model.compute_loss(made, pretrain_data.Batch(ids, labels, positions))
        theirs = made(input_ids=ids, labels=labels, position_ids=positions, use_cache=False).loss
    assert torch.allclose(
        ours, theirs, atol=1e-5 if compute.matmul_dtype() is torch.float32 else 0.02
    )


def test_an_export_is_half_precision_tied_and_reads_back(tmp_path: Path) -> None:
    made = small_model.create_model(SHAPE, vocabulary=64, end_of_text=0, seed=1)
    small_model.export_model(made, tmp_path, end_of_text=63)
    back = small_model.load_model(tmp_path)
    assert back.lm_head.weight.data_ptr() == back.transformer.wte.weight.data_ptr()
    generation = json.loads((tmp_path / "generation_config.json").read_text())
    assert (generation["eos_token_id"], generation["pad_token_id"]) == (63, 0)
    stored = json.loads((tmp_path / "config.json").read_text())
    assert stored["multi_query"] is True
    size = (tmp_path / "model.safetensors").stat().st_size
    assert (
        2 * small_model.count_parameters(tmp_path)
        <= size
        < 2 * small_model.count_parameters(tmp_path) + 10_000
    )
    for (name, ours), theirs in zip(
        made.state_dict().items(), back.state_dict().values(), strict=True
    ):
        assert torch.allclose(ours, theirs, atol=1e-3, rtol=1e-3), name

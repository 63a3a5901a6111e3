"""Location of tokenizer.json."""

from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.errors import ModelUnavailable, UsageError
from tests.sample_tokenizers import build_byte_level, save_tokenizer
from train.modeling.tokenizer_files import find_tokenizer, read_tokenizer


def test_a_tokenizer_is_a_file_or_its_folder(tmp_path: Path) -> None:
    path = save_tokenizer(build_byte_level(), tmp_path / "tokenizer.json")
    assert read_tokenizer(str(path)).fingerprint == read_tokenizer(str(tmp_path)).fingerprint
    assert find_tokenizer(str(tmp_path)) == path


def test_a_model_without_a_tokenizer_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"no tokenizer\.json") as caught:
        find_tokenizer(str(tmp_path))
    assert "convert" in caught.value.hint
    with pytest.raises(ModelUnavailable, match="cannot be fetched"):
        find_tokenizer("owner/absent")
    with pytest.raises(UsageError, match="no tokenizer"):
        read_tokenizer(str(tmp_path / "absent.json"))

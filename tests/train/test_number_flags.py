from __future__ import annotations

import pytest

from train.number_flags import positive_integer


def test_a_positive_integer_is_above_zero() -> None:
    assert positive_integer("12") == 12
    for text in ("0", "-1", "1.5", "x", ""):
        with pytest.raises(ValueError):  # noqa: PT011  (argparse names the flag and the value)
            positive_integer(text)

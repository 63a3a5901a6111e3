"""Progress of downloads and loads: the tqdm bars of the libraries, turned into callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

ProgressCallback = Callable[[str, int, int], None]
"""Receives a stage, the units done and their total (0 where it is unknown)."""


def create_download_bar(report: ProgressCallback) -> type[Any]:
    """Return a tqdm class that reports the bytes downloaded and draws nothing."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    class DownloadBar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # snapshot_download makes bars of files and of bytes from this class.
            self._counts_bytes = kwargs.get("unit") == "B"
            # huggingface_hub's own argument; tqdm refuses those that it does not know.
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            # A disabled bar does not count.
            self.n += n or 0
            if self._counts_bytes and self.total:
                report("downloading", int(self.n), int(self.total))
            return None

    return DownloadBar


@contextmanager
def report_loading(report: ProgressCallback) -> Iterator[None]:
    """Report the tensors that transformers loads meanwhile, in place of its progress bars."""
    from transformers.utils import logging

    def create_bar(factory: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from tqdm import tqdm

        class LoadingBar(tqdm):  # type: ignore[misc]
            def __iter__(self) -> Iterator[Any]:
                for done, item in enumerate(self.iterable, 1):
                    yield item
                    report("loading", done, self.total or 0)

        return LoadingBar(*args, **{**kwargs, "disable": True})

    # The hook is global to the process; loads do not overlap, since one thread makes them all.
    previous = logging.set_tqdm_hook(create_bar)
    try:
        yield
    finally:
        logging.set_tqdm_hook(previous)

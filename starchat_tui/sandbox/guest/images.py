"""Pictures of a run that are no figures: displayed images, and files that the code wrote."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starchat_tui.sandbox.guest.drawings import PICTURE_SUFFIXES
from starchat_tui.sandbox.guest.figures import FigurePublisher
from starchat_tui.sandbox.guest.picture_sender import PictureSender, compute_digest
from starchat_tui.sandbox.guest.pictures import MAX_SIDE, Grids, Picture, encode_png


class ImagePublisher:
    """Shows images, unless they are those of figures that are shown."""

    def __init__(
        self, pictures: PictureSender, figures: FigurePublisher, note: Callable[[str], None]
    ) -> None:
        """Show images; `note` takes a sentence for the user."""
        self._pictures, self._figures, self._note = pictures, figures, note
        self.reset()

    def reset(self) -> None:
        """Forget the images of the last run."""
        self._displayed: set[bytes] = set()
        """Digests of the displayed images."""

    def publish_file(self, path: str) -> None:
        """Show a picture that a cell wrote, unless its content was shown."""
        if not path.lower().endswith(PICTURE_SUFFIXES):
            return
        name = os.path.basename(path)
        drawing, description = self._figures.saved.find(path)
        is_earlier = drawing is not None and drawing.last_path != os.path.realpath(path)
        if drawing is not None and (drawing.is_shown or is_earlier):
            return
        try:
            with open(path, "rb") as file:
                data = file.read()
            if compute_digest(data) not in self._displayed:
                self._send(data, description, name, grids=drawing.grids if drawing else ())
        except (OSError, ValueError) as error:
            self._note(f"`{name}` cannot be shown: {error}")
        if drawing is not None:
            drawing.is_shown = True

    def publish_image(self, data: bytes, description: str, key: int = 0) -> None:
        """Show an image, as the output of a key if one is given."""
        self._displayed.add(compute_digest(data))
        of_figure, is_visible = self._figures.saved.claim_content(data)
        if is_visible:
            return
        try:
            self._send(data, of_figure or description, key=key)
        except (OSError, ValueError) as error:
            self._note(f"A displayed picture cannot be shown: {error}")

    def _send(
        self, data: bytes, description: str, name: str = "", key: int = 0, grids: Grids = ()
    ) -> None:
        from PIL import Image

        try:
            with _open_image(data) as image:
                # The frames of an animation that matplotlib saved are those of a figure.
                if not (self._figures.has_saved_frames and _count_frames(image) > 1):
                    for picture in _read_pictures(image, description, name):
                        self._pictures.send(picture._replace(grids=grids), key)
        except Image.DecompressionBombError as error:
            raise ValueError(str(error)) from error


@contextmanager
def _open_image(data: bytes) -> Iterator[Any]:
    """Open a picture; one that is too large for Pillow raises `DecompressionBombError`."""
    from PIL import Image

    with warnings.catch_warnings():
        # Pillow warns from half its limit on. The memory of this process has a bound of its own,
        # and what is sent is scaled down.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = Image.open(io.BytesIO(data))
    with image:
        yield image


def _count_frames(image: Any) -> int:
    # The pages of a TIFF are no animation.
    return int(getattr(image, "n_frames", 1)) if image.format in ("GIF", "PNG", "WEBP") else 1


def _read_pictures(image: Any, description: str, name: str) -> Iterator[Picture]:
    """Yield the picture in a file; of an animated one, the first and the last frame."""
    count, (width, height) = _count_frames(image), image.size
    kind, where = (f"{image.format} picture", f" in `{name}`") if name else ("picture", "")
    for number in sorted({0, count - 1}):
        if count > 1:
            image.seek(number)
        # Lets the JPEG decoder scale down while it decodes, which saves memory and time.
        image.draft("RGB", (MAX_SIDE, MAX_SIDE))
        part = f", frame {number + 1} of {count}" if count > 1 else ""
        fallback = f"{kind} {width} × {height}{where}{part}"
        yield Picture(*encode_png(image), description or fallback)

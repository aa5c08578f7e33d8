"""An episode as an animation: the pictures of `cage2.show.render`, one a step."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline import extras
from pipeline.cage2.show.render import FRAMES_PER_S, render_picture
from pipeline.replay.moments import views_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.trace.trace import Trace

LAST_S: Final = 3
"""For which the last picture stays."""
_MAX_COLOURS: Final = 256


def animation(trace: Trace) -> bytes:
    """Return an episode as a GIF that repeats for ever: the same for the same, by one version of Pillow.

    Raises:
        NotInstalledError: Pillow isn't installed.
        ReplayError: The episode can't be shown.
    """
    extras.require("a GIF", "PIL")
    from PIL import Image

    pictures = [_packed(render_picture(view)) for view in views_of(trace)]
    colours = np.unique(np.concatenate([np.unique(picture) for picture in pictures]))[:_MAX_COLOURS]
    palette = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.uint8).tobytes()
    images = []
    for picture in pictures:
        image = Image.fromarray(np.searchsorted(colours, picture).astype(np.uint8), "P")
        image.putpalette(palette)
        images.append(image)
    durations_ms = [1000 // FRAMES_PER_S] * (len(images) - 1) + [1000 * LAST_S]
    file = io.BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=durations_ms, loop=0, optimize=False)
    return file.getvalue()


def _packed(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Return a colour per pixel as one number."""
    red, green, blue = (picture[..., channel].astype(np.uint32) for channel in range(3))
    return np.asarray(red << 16 | green << 8 | blue, np.uint32)

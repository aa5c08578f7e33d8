from __future__ import annotations

import io
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.cage2.show.render import render_picture
from pipeline.extras import NotInstalledError
from pipeline.replay.gif import animation
from pipeline.replay.moments import views_of

if TYPE_CHECKING:
    from pipeline.replay.played import Played


def test_each_picture_is_that_of_its_moment(played: Played) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    trace = replace(played.trace, steps=played.trace.steps[:4])
    content = animation(trace)
    with image.open(io.BytesIO(content)) as film:
        assert film.n_frames == 5
        for number, view in enumerate(views_of(trace)):
            film.seek(number)
            np.testing.assert_array_equal(np.asarray(film.convert("RGB")), render_picture(view))
    assert animation(trace) == content


def test_without_pillow_it_says_what_to_install(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(NotInstalledError, match="a GIF needs PIL: pip install"):
        animation(played.trace)

from __future__ import annotations

import numpy as np

from pipeline.cage2.engine.red import ACTIONS
from pipeline.cage2.facts import spec
from pipeline.cage2.show.font import ADVANCE, HEIGHT, LETTERS, WIDTH, dots


def test_letters_are_all_different_and_of_one_size() -> None:
    assert {letter.shape for letter in LETTERS.values()} == {(HEIGHT, WIDTH)}
    assert len({letter.tobytes() for letter in LETTERS.values()}) == len(LETTERS)
    assert not LETTERS[" "].any()


def test_every_name_of_the_game_can_be_written() -> None:
    names = "".join((*spec.ACTION_NAMES, *ACTIONS, *spec.RED_AGENTS, *(subnet.name for subnet in spec.SUBNETS)))
    assert set(names) <= set(LETTERS)


def test_a_line_is_its_letters_side_by_side() -> None:
    line = dots("Ab")
    assert line.shape == (HEIGHT, 2 * ADVANCE)
    np.testing.assert_array_equal(line[:, :WIDTH], LETTERS["A"])
    np.testing.assert_array_equal(line[:, ADVANCE : ADVANCE + WIDTH], LETTERS["b"])
    assert not line[:, WIDTH].any()


def test_what_has_no_letter_is_a_question_mark() -> None:
    np.testing.assert_array_equal(dots("\u00e9"), dots("?"))

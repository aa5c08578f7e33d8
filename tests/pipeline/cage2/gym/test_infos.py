from __future__ import annotations

import numpy as np

from pipeline.cage2.gym.infos import masked, objects

MASK = np.array([True, False, True])


def test_infos_of_the_others_are_zeros() -> None:
    infos = {"hosts": np.ones((3, 2), dtype=np.int8), "_hosts": np.ones(3, dtype=np.bool_)}
    shown = masked(infos, MASK)
    assert shown["hosts"].tolist() == [[1, 1], [0, 0], [1, 1]]
    assert shown["_hosts"].tolist() == MASK.tolist()
    assert infos["hosts"].all()


def test_objects_are_copies_and_none() -> None:
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    listed = objects(rows, MASK)
    rows[:] = 9
    assert [None if row is None else row.tolist() for row in listed] == [[0, 1], None, [4, 5]]

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.experiment.errors import ExperimentError
from pipeline.persist.runs import RunFolderError
from pipeline.persist.toml import as_toml
from pipeline.tuning.folder import TUNING, TuningFolder, is_tuning, read_plan
from pipeline.tuning.plan import TuningPlan
from tests.pipeline.tuning.conftest import PLAN

VALUES = {"trials": 7, "seeds": 2, "fresh_seeds": 5, "together": 3, "search": ["ppo.gamma"], "base": {}}
scalars = st.booleans() | st.integers(-1, 2000) | st.floats() | st.sampled_from(["x", "ppo.gamma"])


def test_what_was_asked_is_frozen(tmp_path: Path) -> None:
    with TuningFolder(tmp_path / "x", PLAN), pytest.raises(RunFolderError, match="still alive"):
        TuningFolder(tmp_path / "x", PLAN)
    assert is_tuning(tmp_path / "x")
    assert not is_tuning(tmp_path)
    assert read_plan(tmp_path / "x") == PLAN


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"num_trials": 8}, "its trials are 7, not 8"),
        ({"num_fresh_seeds": 6}, "its fresh seeds are 5, not 6"),
        ({"search": ("hidden_sizes",)}, "its search are ppo.learning_rate, hidden_sizes, not hidden_sizes"),
        ({"base": {"total_episodes": 64, "seed": 3}}, "seed is None, not 3"),
    ],
)
def test_another_search_is_refused_with_the_first_difference(
    changes: dict[str, Any], told: str, tmp_path: Path
) -> None:
    TuningFolder(tmp_path / "x", PLAN).close()
    with pytest.raises(ExperimentError, match=told):
        TuningFolder(tmp_path / "x", replace(PLAN, **changes))


@given(
    st.dictionaries(
        st.sampled_from([*VALUES, "other"]), scalars | st.lists(scalars) | st.dictionaries(st.just("ppo"), scalars)
    )
)
def test_what_a_folder_says_is_a_plan_or_a_mistake_in_one_line(values: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / TUNING).write_text(as_toml({**VALUES, **values}))
        try:
            assert isinstance(read_plan(Path(folder)), TuningPlan)
        except ExperimentError as error:
            assert "\n" not in str(error)  # noqa: PT017  # either may be


def test_where_there_is_none_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"not the folder of a search: it has no tuning\.toml"):
        read_plan(tmp_path)

from __future__ import annotations

import os
import tempfile
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.experiment.errors import ExperimentError
from pipeline.experiment.folder import EXPERIMENT, ExperimentFolder, as_toml, is_experiment, read_plan
from pipeline.experiment.plan import Plan
from pipeline.persist.runs import RunFolderError

PLAN = Plan({"fast": {"ppo": {"learning_rate": 1e-3}, "seed": 3}, "slow": {"hidden_sizes": [64, 96]}}, 5)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.booleans() | st.integers(0, 2**62) | st.floats(allow_nan=False, allow_infinity=False) | texts


def unchecked(variants: object) -> Plan:
    plan = object.__new__(Plan)
    for name, value in (("variants", variants), ("num_seeds", 3), ("stop_hopeless", True)):
        object.__setattr__(plan, name, value)
    return plan


@given(st.dictionaries(texts, scalars | st.lists(scalars, max_size=3) | st.dictionaries(texts, scalars, max_size=2)))
def test_whatever_a_plan_holds_is_read_as_it_was_written(values: dict[str, object]) -> None:
    assert tomllib.loads(as_toml(unchecked({"a.b": values}))) == {
        "seeds": 3,
        "stop_hopeless": True,
        "variants": {"a.b": values},
    }


@given(
    st.dictionaries(texts, st.dictionaries(st.sampled_from([*Config.model_fields, "x"]) | texts, scalars), max_size=2)
)
@example({"base": {"total_episodes": -1}})
@example({"base": {"red_agent": "\x1b[2J\n"}})
def test_what_a_folder_says_is_a_plan_or_a_mistake_in_one_line(variants: dict[str, dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / EXPERIMENT).write_text(as_toml(unchecked(variants)), encoding="utf-8", newline="")
        try:
            assert isinstance(read_plan(Path(folder)), Plan)
        except ExperimentError as error:
            assert "\n" not in str(error)  # noqa: PT017  # either may be


def test_a_pipe_is_no_plan(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / EXPERIMENT)
    with pytest.raises(ExperimentError, match="can't read"):
        read_plan(tmp_path)


def test_what_was_asked_is_frozen(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "rates"
    ExperimentFolder(path, PLAN).close()
    assert is_experiment(path)
    assert read_plan(path) == PLAN
    before = (path / EXPERIMENT).read_bytes()
    ExperimentFolder(path, PLAN).close()
    assert (path / EXPERIMENT).read_bytes() == before


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (Plan(PLAN.variants, 6), "of 5 seeds, not 6"),
        (Plan({"fast": PLAN.variants["fast"]}, 5), "its variants are fast, slow, not fast"),
        (Plan({**PLAN.variants, "slow": {"hidden_sizes": [64, 64]}}, 5), r"hidden_sizes of slow is \[64, 96\], not"),
        (Plan({**PLAN.variants, "slow": {"gp_beta": 3.0}}, 5), "gp_beta of slow is None, not 3.0"),
        (Plan(PLAN.variants, 5, stop_hopeless=True), "without --stop-hopeless"),
    ],
)
def test_another_plan_is_refused_with_the_first_difference(other: Plan, told: str, tmp_path: Path) -> None:
    ExperimentFolder(tmp_path / "x", PLAN).close()
    with pytest.raises(ExperimentError, match=told) as raised:
        ExperimentFolder(tmp_path / "x", other)
    assert "\n" not in str(raised.value)
    ExperimentFolder(tmp_path / "x", PLAN).close()  # and its lock is free


def test_one_process_at_a_time_has_it(tmp_path: Path) -> None:
    with ExperimentFolder(tmp_path / "x", PLAN), pytest.raises(RunFolderError, match="still alive"):
        ExperimentFolder(tmp_path / "x", PLAN)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("")
    with pytest.raises(ExperimentError, match="holds something else"):
        ExperimentFolder(tmp_path, PLAN)
    assert [each.name for each in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize("text", ["", "seeds = 1", "seeds = [", "seeds=1\nstop_hopeless=false\nvariants=3", "\xff"])
def test_a_damaged_file_is_told_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / EXPERIMENT).write_text(text, encoding="latin-1")
    with pytest.raises(ExperimentError, match="can't read") as raised:
        read_plan(tmp_path)
    assert "\n" not in str(raised.value)


def test_where_there_is_none_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="not the folder of an experiment"):
        read_plan(tmp_path)

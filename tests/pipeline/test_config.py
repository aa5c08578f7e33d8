from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.cage2.facts.order_names import order_name
from pipeline.config import MAX_EPISODES_PER_TASK, Config
from pipeline.machine import num_cores
from pipeline.values import topic_of

SIZES = st.fixed_dictionaries(
    {
        "workers": st.integers(1, 1000),
        "total_episodes": st.integers(1, 10**6),
        "episodes_per_update": st.integers(1, 100_000),
        "policy_lag": st.integers(0, 8),
        "engine": st.sampled_from(["fast", "cyborg"]),
        "collector": st.sampled_from(["sequential", "synchronous", "executor", "ray"]),
    },
    optional={"slots": st.integers(1, 100_000), "episodes_per_task": st.integers(1, 10_000)},
)


def test_a_run_has_the_defaults_that_its_users_know() -> None:
    config = Config()
    assert config.workers == num_cores()
    assert config.red_agent == "B_lineAgent"
    assert config.alignment_lambda == 30
    assert config.compliance_threshold == 0.95
    assert config.gp_beta == 2
    assert config.policy_lag == 1
    assert config.compromised == "fixable"


def test_a_policy_sees_and_may_do_what_is_known_to_learn_best() -> None:
    config = Config()
    assert (config.observation_memory, config.actions) == (True, "merged")
    assert 0 < config.finals_episodes < config.total_episodes


@pytest.mark.parametrize(
    ("options", "num_episodes"),
    [
        ({}, 1875),
        ({"concurrent_visits": 1}, 2000),
        ({"total_episodes": 10_000}, 200),
        ({"total_episodes": 1}, 1),
        ({"episodes_per_visit": 7}, 7),
    ],
    ids=str,
)
def test_a_visit_is_long_enough_to_tell_and_short_enough_for_many(options: dict[str, Any], num_episodes: int) -> None:
    assert Config(**options).visit_episodes == num_episodes


@pytest.mark.parametrize(
    ("options", "num_places"),
    [
        ({}, 4),
        ({"total_episodes": 20_000}, 3),
        ({"total_episodes": 1000}, 1),
        ({"total_episodes": 1000, "concurrent_visits": 16}, 16),
        ({"workflow": order_name(3)}, 1),
        ({"policy": "shared", "concurrent_visits": 4}, 1),
    ],
    ids=str,
)
def test_so_many_workflows_are_trained_at_a_time_as_the_search_has_episodes_for(
    options: dict[str, Any], num_places: int
) -> None:
    config = Config(**options)
    assert config.num_places == num_places
    assert config.max_episodes_in_flight == min(num_places * 128, config.total_episodes)


def test_the_prototypes_recipe_comes_with_its_form_of_policy_and_no_finals() -> None:
    prototype = Config(recipe="prototype")
    assert (prototype.observation_memory, prototype.actions, prototype.finals_episodes) == (False, "all", 0)
    asked_for = Config(recipe="prototype", actions="merged", finals_share=0.5, total_episodes=100)
    assert (asked_for.observation_memory, asked_for.actions, asked_for.finals_episodes) == (False, "merged", 50)
    assert Config.model_validate_json(asked_for.model_dump_json()) == asked_for


def test_every_value_says_what_it_is() -> None:
    assert [name for name, field in Config.model_fields.items() if not field.description] == []


def test_every_value_has_a_topic_but_what_runs_note_themselves() -> None:
    noted = {name for name in Config.model_fields if topic_of(name) is None}
    assert noted == {"earlier_budgets", "init_sha256", "red_sha256"}


@pytest.mark.parametrize("sizes", ["128,64", [128, 64], (128, 64)])
def test_hidden_sizes_are_two(sizes: Any) -> None:
    assert Config(hidden_sizes=sizes).hidden_sizes == (128, 64)


def test_a_configuration_can_not_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().workers = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    "values",
    [
        {"workers": 0},
        {"workers": 1001},
        {"workers": 1.5},
        {"workers": True},
        {"total_episodes": 0},
        {"episodes_per_update": 0},
        {"max_episodes_per_workflow": 0},
        {"red_agent": "Nobody"},
        {"red_agent": "b_lineagent"},
        {"red_agent": "Mixed,SleepAgent"},
        {"red_agent": "SleepAgent,SleepAgent"},
        {"red_agent": "SleepAgent,"},
        {"red_agent": "my.py"},
        {"red_sha256": {"my.py:Mine": "abc"}},
        {"alignment_lambda": -1},
        {"alignment_lambda": float("inf")},
        {"alignment_lambda": float("nan")},
        {"alignment_lambda": False},
        {"compliance_threshold": 1.01},
        {"compliance_threshold": float("nan")},
        {"patience": 0},
        {"hidden_sizes": [64]},
        {"hidden_sizes": [64, 64, 64]},
        {"hidden_sizes": [64, 48]},
        {"hidden_sizes": [0, 64]},
        {"hidden_sizes": [64, 1056]},
        {"hidden_sizes": "64"},
        {"hidden_sizes": 64},
        {"episode_steps": 0},
        {"episode_steps": 1001},
        {"episode_steps": 30.5},
        {"policy_lag": -1},
        {"policy_lag": 9},
        {"gp_beta": float("nan")},
        {"seed": -1},
        {"seed": 2**63},
        {"slots": True},
        {"checkpoint_interval_s": float("inf")},
        {"log_dir": "a\0b"},
        {"log_dir": "a\udcff"},
        {"log_dir": True},
        {"run_name": ""},
        {"run_name": "a/b"},
        {"run_name": "a\\b"},
        {"run_name": ".."},
        {"run_name": ".hidden"},
        {"run_name": "-x"},
        {"run_name": "a\n"},
        {"run_name": "a" * 101},
        {"tensorboard": 2},
        {"collector": "threads"},
        {"collector": "ray", "ray_address": "10.0.0.7"},
        {"collector": "ray", "ray_address": "ray://head:10001"},
        {"collector": "ray", "ray_address": "10.0.0.7:port"},
        {"collector": "ray", "ray_address": "a b:6379"},
        {"collector": "ray", "ray_address": "auto\n"},
        {"workerz": 2},
        {"init_from": "a\0b"},
        {"init_from": "logs/a", "init_sha256": "0" * 63},
        {"init_sha256": "0" * 64},
        {"total_episodes": 100, "earlier_budgets": [100]},
        {"total_episodes": 100, "earlier_budgets": [50, 40]},
        {"total_episodes": 100, "earlier_budgets": [0]},
    ],
)
def test_what_makes_no_run_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Config(**values)


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        ({"workers": 4, "slots": 3}, "3 slots can't keep 4 workers busy: give at least 4, or leave --slots out"),
        ({"workers": 1, "slots": 3, "episodes_per_task": 4}, "a task of 4 episodes needs as many slots, not 3"),
        ({"collector": "sequential", "transport": "pickle"}, "--transport pickle is for --collector executor"),
        ({"ray_address": "auto"}, "--ray-address is for --collector ray"),
        ({"engine": "cyborg", "profile": "leaderboard"}, "needs --engine fast"),
    ],
)
def test_values_that_contradict_each_other_are_refused_with_advice(values: dict[str, Any], advice: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Config(**values)
    assert advice in caught.value.errors()[0]["msg"]


@given(SIZES)
def test_sizes_fit_together_whatever_is_asked_for(values: dict[str, Any]) -> None:
    try:
        config = Config(**values)
    except ValidationError:
        assert "slots" in values
        return
    assert config.task_size >= 1
    assert config.num_slots >= config.num_players == (1 if config.collector == "sequential" else config.workers)
    assert config.num_slots >= config.task_size or config.collector == "synchronous"
    assert config.num_slabs == config.num_places * (config.policy_lag + 3)
    assert 1 <= config.max_episodes_in_flight <= config.total_episodes
    if config.collector == "synchronous":
        assert config.task_size == config.workers
    elif config.episodes_per_task is None:
        assert config.task_size <= MAX_EPISODES_PER_TASK[config.engine]
        if config.task_size > 1:  # every worker has two tasks to choose from
            assert 2 * config.num_players * config.task_size <= config.max_episodes_in_flight
    else:
        assert config.task_size == config.episodes_per_task


@given(SIZES, st.sampled_from([None, "tuesday", "0-._x"]), st.floats(0, 1))
def test_a_configuration_survives_json(values: dict[str, Any], run_name: str | None, threshold: float) -> None:
    values = {key: value for key, value in values.items() if key not in {"slots", "episodes_per_task"}}
    config = Config(**values, run_name=run_name, compliance_threshold=threshold, log_dir=Path("a/b"))
    assert Config.model_validate(json.loads(json.dumps(config.model_dump(mode="json")))) == config


@pytest.mark.parametrize("address", ["local", "auto", "head_1:6379", "10.0.0.7:6379", "[fe80::1]:6379"])
def test_addresses_of_clusters(address: str) -> None:
    assert Config(collector="ray", ray_address=address).ray_address == address


def test_who_steps_together_needs_a_slot_each_whatever_a_task_is_elsewhere() -> None:
    Config(collector="synchronous", workers=4, slots=4, episodes_per_task=8)


def test_the_device_is_chosen_once() -> None:
    """A run that began on one is not gone on with on another because that one is there."""
    assert Config().device == Config(device="auto").device == "cpu"
    assert Config(device="cuda").device == "cuda"


def test_attackers_of_ones_own_need_not_be_there_to_be_named() -> None:
    assert Config(red_agent="nowhere.py:Mine").red_agent == "nowhere.py:Mine"
    assert Config(red_agent=" B_lineAgent, ../a b.py:Mine").red_agent == "B_lineAgent,../a b.py:Mine"
    assert Config(red_agent="Mixed").red_agent == "Mixed"

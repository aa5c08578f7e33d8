from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.config import Config
from pipeline.marks import Effect
from pipeline.values import SPEED_FIELDS, change_speed, effect_of, what_results_depend_on


def test_another_collector_comes_with_its_own_defaults() -> None:
    pickled = Config(transport="pickle", workers=3)
    assert Config(**change_speed(pickled, {"workers": 2})) == Config(transport="pickle", workers=2)
    assert Config(**change_speed(pickled, {"collector": "synchronous"})) == Config(collector="synchronous", workers=3)
    clustered = Config(collector="ray", ray_address="auto")
    assert Config(**change_speed(clustered, {"collector": "executor", "transport": "pickle"})).transport == "pickle"
    assert Config(**change_speed(clustered, {"collector": "ray", "ray_address": "head:1"})).ray_address == "head:1"


def test_what_changes_no_result_is_left_out_of_what_results_depend_on() -> None:
    """Other tests train with other values of most of these, and compare the bits."""
    faster: dict[str, Any] = {
        "workers": 3,
        "collector": "executor",
        "transport": "pickle",
        "ray_address": "auto",
        "engine": "cyborg",
        "episodes_per_task": 2,
        "slots": 40,
        "learner_threads": 3,
    }
    recorded: dict[str, Any] = {
        "checkpoint_interval_s": 1.0,
        "log_dir": Path("there"),
        "run_name": "x",
        "tensorboard": True,
        "wandb": True,
        "mlflow": True,
        "debug": True,
    }
    assert faster.keys() == set(SPEED_FIELDS)
    assert recorded.keys() == {name for name in Config.model_fields if effect_of(name) is Effect.RECORD}
    base = Config(workers=2)
    assert what_results_depend_on(base.model_copy(update=faster | recorded)) == what_results_depend_on(base)
    for change in ({"seed": 1}, {"recipe": "prototype"}, {"total_episodes": 5}, {"device": "cuda"}, {"gp_beta": 1.0}):
        assert what_results_depend_on(base.model_copy(update=change)) != what_results_depend_on(base)


def test_what_results_depend_on_is_json() -> None:
    depended = what_results_depend_on(Config())
    assert json.loads(json.dumps(depended)) == depended
    assert depended.keys() == {name for name in Config.model_fields if effect_of(name) is None}

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.command.options import UsageError
from pipeline.command.variants import overlaid, variants_of

FILE = Path("rates.toml")


def test_without_anything_that_varies_there_is_one_variant() -> None:
    assert variants_of({}, [], None) == {"base": ({}, {})}


def test_every_combination_is_a_variant_and_its_name_says_which() -> None:
    asked = {"vary": {"ppo": {"gamma": [0.9, 0.99]}}}
    assert variants_of(asked, ["red-agent=B_lineAgent,SleepAgent"], FILE) == {
        f"gamma-{gamma}-red-agent-{red}": ({"ppo": {"gamma": gamma}}, {"red_agent": red})
        for gamma in (0.9, 0.99)
        for red in ("B_lineAgent", "SleepAgent")
    }


def test_values_with_commas_have_semicolons_between() -> None:
    assert variants_of({}, ["hidden-sizes=64,64;128,128"], None) == {
        "hidden-sizes-64-64": ({}, {"hidden_sizes": "64,64"}),
        "hidden-sizes-128-128": ({}, {"hidden_sizes": "128,128"}),
    }


def test_switches_are_on_or_off() -> None:
    assert [values for _, values in variants_of({}, ["warm-start=on,off"], None).values()] == [
        {"warm_start": True},
        {"warm_start": False},
    ]


def test_variants_by_name_are_as_the_file_has_them() -> None:
    assert variants_of({"variants": {"wide": {"gp_beta": 1}}}, [], FILE) == {"wide": ({"gp_beta": 1}, {})}


@pytest.mark.parametrize(
    ("asked", "vary", "told"),
    [
        ({}, "learning-rate=1,2", "--vary unknown option learning-rate: did you mean ppo.learning-rate?"),
        ({}, "red-agnt=a,b", "--vary unknown option red-agnt: did you mean red-agent?"),
        ({}, "zzz=1", "--vary unknown option zzz: see run.py experiment --help"),
        ({}, "seed=1,2", "--vary seed: that is the experiment's; --seeds says"),
        ({}, "gp-beta", "--vary gp-beta: must be NAME=A,B,..."),
        ({}, "gp-beta=1,,2", "--vary gp-beta=1,,2: must be NAME=A,B,..."),
        ({}, "warm-start=1", "--vary warm-start: 1: must be on or off"),
        ({}, "red-agent=x/y.py:A,x-y.py:A", "two variants would be called red-agent-x-y.py-A"),
        ({"variants": {"a": {}}}, "gp-beta=1,2", "variants by name, or values to vary: give one of the two"),
        ({"vary": {"gp_beta": 3}}, None, "rates.toml: vary: gp_beta must be a list of values"),
        ({"vary": {"gp_bta": [3]}}, None, "rates.toml: vary: unknown option gp_bta: did you mean gp-beta?"),
        ({"variants": {"a": 3}}, None, "rates.toml: variant a must be a table, [variants.a]"),
        ({"variants": {"a": {"seed": 3}}}, None, "rates.toml: variant a can't have its own seed"),
    ],
)
def test_mistakes_say_what_to_do(asked: dict[str, Any], vary: str | None, told: str) -> None:
    with pytest.raises(UsageError) as raised:
        variants_of(asked, [vary] if vary else [], FILE)
    assert str(raised.value).startswith(told)


def test_values_are_laid_over_others_those_of_a_table_one_by_one() -> None:
    base = {"gp_beta": 1, "ppo": {"gamma": 0.9, "vf_coef": 1}}
    assert overlaid(base, {"ppo": {"gamma": 0.8}}) == {"gp_beta": 1, "ppo": {"gamma": 0.8, "vf_coef": 1}}
    assert overlaid({}, base) == overlaid(base, {}) == base

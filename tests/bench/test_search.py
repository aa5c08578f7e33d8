from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.cage2.facts.orders import KENDALL, NUM_WORKFLOWS, ORDERS
from pipeline.workflows.observations import Observation

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(autouse=True)
def bench_is_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH / "search.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)


def test_it_measures_what_is_asked_for() -> None:
    done = run("--seeds=2", "--jobs=1", "--rules=random,prototype", "--json")
    assert done.returncode == 0, done.stderr
    assert "4/4 searches" in done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert [row["rule"] for row in result["rows"]] == ["random", "prototype"]
    for row in result["rows"]:
        assert [len(row[table]) for table in ("average", "by_landscape", "by_noise")] == [4, 9, 4]
        hard = [score["mean"] for name, score in row["by_landscape"].items() if name != "tied"]
        assert row["average"]["after 30"]["mean"] == pytest.approx(np.mean(hard))
        assert row["average"]["after 30"]["mean"] == pytest.approx(
            np.mean([score["mean"] for score in row["by_noise"].values()])
        )


@pytest.mark.parametrize("arguments", [["--rules=best"], ["--seeds=0"], ["--first-seed=-1"]])
def test_a_mistake_is_told_in_one_line(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_landscapes_have_one_scale_and_are_drawn_by_their_seed() -> None:
    from landscapes import LANDSCAPES, draw

    for name in LANDSCAPES:
        values = draw(name, 3)
        assert values.shape == (NUM_WORKFLOWS,)
        assert values.mean() == pytest.approx(0, abs=1e-12)
        assert values.std() == pytest.approx(1)
        assert np.array_equal(values, draw(name, 3))
    assert np.count_nonzero(draw("tied", 3) == draw("tied", 3).max()) == 60
    assert len(np.unique(draw("three types", 3).round(9))) == 6
    assert not np.array_equal(draw("rugged", 3), draw("rugged", 4))


def test_noises_have_the_variance_that_they_claim() -> None:
    from landscapes import NOISES

    for name, (_, drawn) in NOISES.items():
        values = np.array([drawn(np.random.default_rng(seed)) for seed in range(20_000)])
        assert abs(values.mean()) < 5 / math.sqrt(20_000), name
        assert values.std() == pytest.approx(1, abs=0.1), name  # Student's t has a wild fourth moment


def test_the_prototypes_rule_is_as_described() -> None:
    from rules import prototype

    observations = [Observation(0, -1.0, 0.1), Observation(60, 1.0, 0.1), Observation(0, 5.0, 0.1)]
    scores, best = prototype(observations)
    assert best == 0  # 2 on average
    assert scores[0] == pytest.approx(-10 + 2 / (1 + 2 / 2) / (1 + 2))
    assert scores[60] == pytest.approx(10 + 2 / (1 + 1 / 2) / (1 + 1))
    weights = np.exp(-2 * KENDALL[7, [0, 60, 0]])
    expected = weights @ [-10, 10, 50] / weights.sum() + 2 * (10 * KENDALL[7, [0, 60]].min() + 1)
    assert scores[7] == pytest.approx(expected)


def test_random_choice_tries_no_order_twice() -> None:
    from rules import next_order, random_choice

    rng, tried = np.random.default_rng(0), [5]
    for _ in range(NUM_WORKFLOWS - 1):
        tried.append(next_order(random_choice, [Observation(i, 0.0, 0.1) for i in tried], rng)[0])
    assert sorted(tried) == list(range(NUM_WORKFLOWS))


def test_a_plain_process_learns_what_its_kernel_can_say() -> None:
    from rules import RULES

    truth = np.where(ORDERS[:, 0] == 2, 1.0, 0.0)
    tried = np.random.default_rng(0).permutation(NUM_WORKFLOWS)[:60].tolist()
    advice = RULES["position"]([Observation(i, float(truth[i]), 0.01) for i in tried])
    assert truth[advice.best] == 1
    assert advice.scores[truth == 1].mean() > advice.scores[truth == 0].mean() + 0.5

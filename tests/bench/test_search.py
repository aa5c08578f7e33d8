from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from conftest import RunBench


def test_it_measures_what_is_asked_for(run_bench: RunBench) -> None:
    done = run_bench("search.py", "--seeds=2", "--jobs=1", "--rules=random,prototype", "--json")
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
def test_a_mistake_is_told_in_one_line(run_bench: RunBench, arguments: list[str]) -> None:
    done = run_bench("search.py", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.command.cli import main
from pipeline.command.process import OK, USAGE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.conftest import MakeRun


def test_it_writes_a_page_and_says_where(make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = make_run({7: 64}, best=7)
    output = tmp_path / "out.html"
    assert main(["report", str(run_dir), "-o", str(output), "--episodes", "2"]) == OK
    assert capsys.readouterr().out.startswith(f"{output}: ")
    assert "What the defender is worth" in output.read_text()
    assert not [*tmp_path.glob(".*.tmp")]


def test_nothing_is_overwritten_without_asking(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = make_run({7: 64}, best=7)
    output = tmp_path / "out.html"
    output.write_text("precious")
    assert main(["report", str(run_dir), "-o", str(output)]) == USAGE
    assert "is there already" in capsys.readouterr().err
    assert output.read_text() == "precious"
    assert main(["report", str(run_dir), "-o", str(output), "--episodes", "2", "--force"]) == OK
    assert output.read_text() != "precious"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "nowhere"),
        ([], "RUN"),
        (["{run}", "--episodes", "0"], "--episodes"),
        (["{run}", "-o", "{run}/no/such/report.html"], "there is no folder"),
    ],
    ids=str,
)
def test_mistakes_are_told_in_one_line(
    arguments: list[str], told: str, make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = str(make_run({7: 64}, best=7))
    assert main(["report", *(each.replace("{run}", run_dir) for each in arguments)]) == USAGE
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1

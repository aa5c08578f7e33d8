from __future__ import annotations

import html
import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.command.cli import main
from pipeline.command.process import OK, USAGE
from pipeline.experiment.folder import EXPERIMENT, as_toml
from pipeline.experiment.plan import Plan

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.conftest import EndedRun, MakeRun


def test_it_writes_a_page_and_says_where(make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = make_run({7: 64}, best=7)
    output = tmp_path / "out.html"
    assert main(["report", str(run_dir), "-o", str(output), "--episodes", "2"]) == OK
    assert capsys.readouterr().out.startswith(f"{output}: ")
    assert "What the defender is worth" in output.read_text()
    assert not [*tmp_path.glob(".*.tmp")]


def test_an_experiments_page_says_what_compare_says(
    make_run: MakeRun, ended_run: EndedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two variants of five seeds, one of which named no defender: every cell of every table, and every note."""
    plain = {"observation_memory": False, "actions": "all"}
    worth = {"large": (-14.0, -15.5, -14.2, None, -13.9), "small": (-19.0, -16.5, -22.3, -18.1, -17.2)}
    for name, values in worth.items():
        for seed, greedy in enumerate(values):
            beta = {"gp_beta": 3.0 if name == "large" else 1.0}
            run_dir = make_run({7: 64}, best=7, name=f"{name}-seed{seed}", seed=seed, **beta)
            end = ended_run("end", greedy, (-60.0, -45.0, -25.0, -18.0, -17.0, -16.0, -15.0, -15.0))
            for record in ("events.jsonl", "training_log.csv"):
                shutil.copy(end / record, run_dir)
            shutil.rmtree(end)
    plan = Plan({"large": {**plain, "gp_beta": 3.0}, "small": {**plain, "gp_beta": 1.0}}, 5)
    (tmp_path / EXPERIMENT).write_text(as_toml(plan))
    output = tmp_path / "out.html"
    assert main(["compare", str(tmp_path)]) == OK
    printed = capsys.readouterr().out
    assert main(["report", str(tmp_path), "-o", str(output), "--episodes", "2"]) == OK
    capsys.readouterr()
    assert main(["compare", str(tmp_path), "--json"]) == OK
    found = json.loads(capsys.readouterr().out)
    page = output.read_text()
    section = page[page.index("Over seeds</h2>") :]
    section = section[: section.index("</section>")]
    in_rows = re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", section)
    shown = [line.strip() for cell in in_rows for line in html.unescape(cell).splitlines()]
    cells = [cell.strip() for line in printed.splitlines() if line.startswith("│") for cell in line.split("│")]
    told = [*filter(None, cells)]
    assert len(set(told)) > 15
    assert [each for each in told if each not in shown] == []
    notes = [html.unescape(note) for note in re.findall(r"<p>([^<]*)</p>", section)]
    assert "large: 1 run of 5 named no defender, which counts as worse than any" in notes
    assert all(note in printed for note in notes)
    for variant in found["variants"]:
        median = variant["greedy"]["median_interval"]
        assert f"{median['estimate']:.1f} [" in section
        assert variant["typical"].rpartition("/")[2] in page  # whose defender is played
    assert [each["name"] for each in found["variants"]] == ["large", "small"]


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

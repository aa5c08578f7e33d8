from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.command.cli import main
from pipeline.command.process import OK
from pipeline.defenders.reference import AgentReference
from pipeline.replay.again import command, command_of_file
from tests.pipeline.replay.conftest import chosen

if TYPE_CHECKING:
    from tests.pipeline.conftest import MakeRun


@pytest.mark.parametrize("options", [["--seed", "3", "--worst-of", "20", "--greedy"], ["--update", "0", "--row", "7"]])
def test_typed_again_it_is_the_same_episode(
    options: list[str], make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run({17: 100, 3: 900}, best=17, episode_steps=8)
    (run / "training_log.csv").write_text("Workflow_ID,Update,Episodes\n17,0,32\n")
    shown = []
    line = ["replay", str(run), *options]
    for name in ("first", "again"):
        page = tmp_path / f"{name}.html"
        assert main([*line, "--html", str(page)]) == OK
        episode = page.read_text().partition('"again":"')[2]
        again, _, rest = episode.partition('","')
        shown.append((again, rest[rest.index('"frames":') :]))
        line = shlex.split(again)[1:]
    assert shown[0] == shown[1]


def test_others_agents_are_named_with_all_that_they_are_made_of() -> None:
    agent = AgentReference("my agent.py:A", "", (("depth", "3"),), observation="table", greedy=True, step_timeout_s=9)
    assert command(agent, chosen(5, engine="cyborg"), greedy=True) == (
        "run.py replay 'my agent.py:A' --seed 4 --episode 5 --steps 12 --red-agent B_lineAgent --profile head "
        "--engine cyborg --cyborg csle --greedy --observation table --agent-arg depth=3"
    )
    assert command("sleep", chosen(), greedy=False).endswith("--red-agent B_lineAgent --profile head")
    assert command_of_file(Path("a b.jsonl"), 3) == "run.py replay 'a b.jsonl' --episode 3"

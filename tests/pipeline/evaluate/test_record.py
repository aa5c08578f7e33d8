from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cage2.facts.order_names import order_name
from pipeline.config import Config
from pipeline.defenders.forms import SB3
from pipeline.defenders.reference import AgentReference, target_of
from pipeline.evaluate.record import describe, trace_header
from pipeline.evaluate.trained import load_trained
from pipeline.seeding import Purpose
from pipeline.trace.trace import FORMAT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.conftest import MakeRun


def test_a_header_says_what_there_is_to_say() -> None:
    header = trace_header(describe("restore"), Config(seed=3, profile="leaderboard"), Purpose.COMPARISON)
    assert header.agent == {"name": "restore"}
    assert header.game == {"engine": "fast", "profile": "leaderboard", "cyborg": "csle-cyborg 0.0.3"}
    assert (header.trace_format, header.purpose, header.seed) == (FORMAT, "comparison", 3)


def test_a_policy_is_told_by_its_run(make_run: MakeRun) -> None:
    run = make_run({17: 100}, best=17)
    told = describe(load_trained(run, None), greedy=True)
    assert (told.name, told.run, told.workflow_order) == ("policy", str(run), order_name(17))
    assert (told.actions, told.num_episodes) == ("greedy", 100)


def test_an_agent_that_others_wrote_is_told_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("class Agent: pass\n")
    target = target_of(f"{path}:Agent")
    assert target is not None
    agent = AgentReference("mine", target, (("depth", "3"),), observation="table", greedy=False, step_timeout_s=9)
    told = describe(agent)
    assert (told.name, told.actions, told.observation, told.arguments) == ("mine", None, "table", {"depth": "3"})
    assert told.sha256 == agent.sha256
    assert describe(agent, form=SB3).actions == "sampled"

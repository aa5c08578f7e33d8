"""`run.py export`: a trained policy as a folder that needs nothing of this project."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from pipeline.cage2.facts.spec import EPISODE_STEPS
from pipeline.command.agent import add_workflow, workflow_id_of
from pipeline.command.game import game_config, game_of
from pipeline.command.options import MAX_EPISODES, UsageError, number_of
from pipeline.command.process import OK
from pipeline.evaluate.record import describe, make_report
from pipeline.evaluate.scenario import PROTOCOL, Scenario
from pipeline.export.names import Form, require_packages
from pipeline.export.room import require_room

if TYPE_CHECKING:
    from pipeline.evaluate.report import Report
    from pipeline.evaluate.trained import Trained

OPTIONS: tuple[str, ...] = ("to", "format", "workflow", "episodes")
FORMS: Final = get_args(Form)
DESCRIPTION = """\
Write a trained policy to a folder that needs nothing of this project: agent.py,
its weights, and a card that says what it was trained on and what it is worth.
It plays in CybORG's own evaluation as it is: a submission for the contest."""
EPILOG = """\
examples:
  python run.py export logs/tuesday --to defender
  python run.py export logs/tuesday --to defender --format torch
  python run.py export logs/tuesday --to defender --format onnx
  cd defender && python -c 'from agent import Agent; agent = Agent()'

agent.py is there to be read. It is compared with the run's policy before it is
put in its place, in 10,000 steps: no action may be different.

Within this project no export is needed: pipeline.load_agent("logs/tuesday").
"""


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `export` its options."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("run", metavar="RUN|CHECKPOINT", help="a run's folder, e.g. logs/tuesday, or its checkpoint")
    parser.add_argument(
        "--to", required=True, type=Path, metavar="DIR", help="the folder to write, a new one or an empty one"
    )
    parser.add_argument(
        "--format",
        default=FORMS[0],
        metavar=f"{{{','.join(FORMS)}}}",
        help="what it is to need: NumPy alone; torch alone, with the network as an nn.Module; onnxruntime and NumPy, "
        "with network and memory as one ONNX model of many games (written with the extra of this name) [numpy]",
    )
    add_workflow(parser)
    parser.add_argument(
        "--episodes", default="1000", metavar="N", help="episodes of each scenario of the evaluation on the card [1000]"
    )


def run(options: argparse.Namespace) -> int:
    """Write what the options ask for, and print what came of it.

    Returns:
        The exit code, 0.

    Raises:
        SetupError: There is no such run, the folder isn't empty, or an option doesn't fit.
        PipelineError: The agent doesn't play as the policy does.
    """
    if options.format not in FORMS:
        raise UsageError(f"--format {options.format!r:.60}: choose of {', '.join(FORMS)}")
    num_episodes = number_of("--episodes", options.episodes, MAX_EPISODES)
    workflow_id = workflow_id_of(options.workflow)
    require_room(options.to)
    require_packages(options.format)

    from pipeline.evaluate.trained import load_trained
    from pipeline.export.folder import export

    trained = load_trained(Path(options.run), workflow_id)
    report = _evaluate(trained, num_episodes)
    written = export(trained, report, options.format, options.to)
    _print(options.to, report, written.files, written.num_checked)
    return OK


def _evaluate(trained: Trained, num_episodes: int) -> Report:
    """Evaluate the policy as `run.py evaluate RUN --greedy` does."""
    from pipeline.evaluate.evaluation import Request, evaluate, must_compile
    from pipeline.evaluate.progress import progress
    from pipeline.evaluate.task import Policy

    config = game_config({}, trained)
    scenarios = PROTOCOL
    if config.episode_steps != EPISODE_STEPS:
        red_agents = dict.fromkeys(scenario.red_agent for scenario in PROTOCOL)
        scenarios = tuple(Scenario(red_agent, config.episode_steps) for red_agent in red_agents)
    policy = Policy(trained.weights, trained.workflow_id, greedy=True)
    request = Request(policy, game_of(config), scenarios, num_episodes, config.seed)
    if must_compile(request):
        sys.stderr.write("note: compiling first, once, about 10 s\n")
    with progress(num_episodes * len(scenarios)) as note_progress:
        results = evaluate(request, note_progress)
    return make_report(describe(trained, greedy=True), config, num_episodes, results)


def _print(folder: Path, report: Report, files: tuple[str, ...], num_checked: int) -> None:
    from pipeline.evaluate.results import total_score

    agent, score = report.agent, total_score(report.results)
    sys.stdout.write(
        f"{folder}: {', '.join(files)}\n"
        f"policy of {agent.run}: {agent.workflow_order} ({agent.chosen})\n"
        + (f"total score: {score.mean:z.1f} ± {score.stderr:.1f}, greedy, profile {report.profile}\n" if score else "")
        + f"compared with the run's policy: {num_checked:,} steps, 0 actions different\n"
    )

from __future__ import annotations

import dataclasses
import io
import re
import sys
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.cage2.facts.order_names import order_name
from pipeline.observe.sentences import Sentences, sentence
from pipeline.types import EpisodesLost, Estimate, RunFinished, RunStarted, Score, WorkflowStarted

if TYPE_CHECKING:
    import pytest

    from pipeline.types import Event, Part, UpdateResult, WorkflowFinished

WIDTH = 100
"""Of a line, at most, time of day included: an order alone has 54. An update's fits a terminal of 80."""


def test_each_event_is_a_line_that_fits_a_terminal(events: list[Event], update: UpdateResult) -> None:
    stream = io.StringIO()
    show = Sentences(stream)
    for event in events:
        show(event)
    lines = stream.getvalue().splitlines()
    assert [re.sub(r"^\d\d:\d\d:\d\d  ", "", line) for line in lines] == [
        "run logs/run",
        "compiling, once: 3 s of some 20 s",
        "the first worker is up after 0.5 s",
        "search: workflow 57, op_server -> defender -> enterprise -> op_host -> user",
        "the first episode came after 1.2 s",
        "128 episodes: workflow 57, reward -123.5 ± 4.6, compliance 0.41",
        "3 episodes to be played again, workers replaced: 1",
        "checkpoint written at 128 episodes",
        "evaluated: workflow 57, reward -20.2 ± 1.0, greedy -18.8 ± 0.9, compliance 0.96",
    ]
    assert max(map(len, lines)) <= WIDTH
    show(dataclasses.replace(update, total_episodes=1_000_000, workflow_id=119))
    assert len(stream.getvalue().splitlines()[-1]) <= 80


def test_what_differs_is_said(events: list[Event], finished: WorkflowFinished) -> None:
    assert sentence(RunStarted("logs/run", resumed=True)) == "run logs/run, which goes on"
    assert sentence(EpisodesLost(1, 2)) == "1 episode to be played again, workers replaced: 2"
    (started,) = [event for event in events if type(event).__name__ == "WorkflowStarted"]
    told = sentence(dataclasses.replace(started, resumed_policy=True, part="finals"))  # type: ignore[arg-type,type-var]
    assert told == "finals: workflow 57 again, op_server -> defender -> enterprise -> op_host -> user"
    score = dataclasses.replace(finished.result.score, greedy_env_reward=None)
    sampled = dataclasses.replace(finished, result=dataclasses.replace(finished.result, score=score))
    assert sentence(sampled) == "evaluated: workflow 57, reward -20.2 ± 1.0, compliance 0.96"


@given(
    workflow_id=st.integers(0, 119),
    reward=st.builds(Estimate, st.floats(-1200, 0), st.floats(0, 300)),
    number=st.integers(2, 10**6),
    part=st.sampled_from(["search", "finals"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # which are frozen
def test_no_line_is_longer_whatever_its_numbers(
    update: UpdateResult, finished: WorkflowFinished, workflow_id: int, reward: Estimate, number: int, part: Part
) -> None:
    score = Score(number, reward, 0.5, reward, 0.5)
    result = dataclasses.replace(finished.result, workflow_id=workflow_id, score=score)
    started = WorkflowStarted(9, workflow_id, order_name(workflow_id), 0.0, resumed_policy=True, part=part)
    learned = dataclasses.replace(update, workflow_id=workflow_id, env_reward=reward, total_episodes=number)
    told = [sentence(event) for event in (started, learned, dataclasses.replace(finished, result=result))]
    assert max(len(line or "") for line in told) + len("12:34:56  ") <= WIDTH


def test_one_episode_has_no_standard_error(update: UpdateResult) -> None:
    one = dataclasses.replace(update, num_episodes=1, total_episodes=1, env_reward=Estimate(-94.0, 0.0))
    assert sentence(one) == "1 episode: workflow 57, reward -94.0, compliance 0.41"


def test_the_end_has_a_summary_instead(run_finished: RunFinished) -> None:
    assert sentence(run_finished) is None


@given(st.text())
def test_no_text_commands_a_terminal_or_breaks_a_line(text: str) -> None:
    stream = io.StringIO()
    Sentences(stream)(RunStarted(f"{text}\x1b[2J\x9b2J\u202e\r\n", resumed=False))
    line = stream.getvalue()
    assert line.endswith("\n")
    assert line.removesuffix("\n").isprintable()


def test_lines_go_to_where_stderr_is_now(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Sentences()(RunStarted("a", resumed=False))
    assert capsys.readouterr().err.endswith("  run a\n")
    elsewhere = io.StringIO()
    monkeypatch.setattr(sys, "stderr", elsewhere)
    Sentences()(RunStarted("b", resumed=False))
    assert elsewhere.getvalue().endswith("  run b\n")

from __future__ import annotations

import pickle
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.cage2.cyborg.env import CyborgEnv
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts.spec import RESTORE
from pipeline.contest.baselines import CONTEST_BASELINES, RandomAgent, SleepingAgent
from pipeline.contest.entry import Entry
from pipeline.contest.protocol import ContestFailedError, Played, play
from pipeline.contest.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt


class Scripted(SleepingAgent):
    """Notes what it is asked, and answers with what a function of the step says."""

    def __init__(self, answer: Callable[[int], Any] = lambda _: 0) -> None:
        self._answer = answer
        self.heard: list[str] = []
        self.seen: list[npt.NDArray[np.int64]] = []

    def begin(self, num_steps: int) -> None:
        self.heard.append(f"begin {num_steps}")

    def act(self, observation: npt.NDArray[np.int64], view: Any) -> int:
        self.seen.append(observation)
        self.heard.append("act")
        answer: int = self._answer(len(self.seen) - 1)
        return answer

    def end(self) -> None:
        self.heard.append("end")


def played(agent: SleepingAgent, num_episodes: int = 2, num_scenarios: int = 1, **entry: Any) -> tuple[Played, ...]:
    return play(lambda: Entry(agent, **entry), FastEnv, 0, num_episodes, scenarios=SCENARIOS[:num_scenarios])


def test_one_agent_plays_all_and_hears_when_episodes_begin_and_end() -> None:
    agent = Scripted()
    results = played(agent, num_scenarios=4)
    assert agent.heard[:33] == ["begin 30", *["act"] * 30, "end", "begin 30"]
    assert [text for text in agent.heard if text.startswith("begin")] == ["begin 30"] * 6 + ["begin 50"] * 2
    assert [(result.red_agent, result.num_steps, len(result.returns)) for result in results] == [
        (*scenario, 2) for scenario in SCENARIOS[:4]
    ]


def test_an_observation_is_what_the_wrapper_shows() -> None:
    agent = Scripted()
    played(agent, num_scenarios=2)
    assert all(row.shape == (52,) and row.dtype == np.int64 for row in agent.seen)
    assert not agent.seen[0].any()
    assert any(row.any() for row in agent.seen)


@pytest.mark.parametrize("num_resets", [1, 2])
def test_the_generator_goes_on_from_game_to_game(num_resets: int) -> None:
    """The same by hand: three networks for what is new, one for each reset, the last of which nobody plays."""
    results = played(Scripted(lambda _: RESTORE), num_scenarios=2, num_resets=num_resets)
    state = random.Random(0).getstate()  # noqa: S311
    for result in results:
        env = FastEnv(result.red_agent)
        env.generator = state
        env.reset(None, is_new=True)
        for returned in result.returns:
            for _ in range(num_resets - 1):
                env.reset(None)
            assert round(10 * returned) == sum(env.step(RESTORE)[1] for _ in range(30))
            env.reset(None)
        for _ in range(num_resets - 1):
            env.reset(None)
        state = env.generator


def test_the_agent_is_made_after_seeding_and_the_program_keeps_its_generator() -> None:
    drawn = []

    def enter() -> Entry:
        # so many, or the game would soon fall into step with the one that it would have been
        drawn.append(random.randbytes(10_000))  # noqa: S311
        return Entry(RandomAgent())

    before = random.getstate()
    (drawing,) = play(enter, FastEnv, 4, 1, scenarios=SCENARIOS[:1])
    assert random.getstate() == before
    assert drawn == [random.Random(4).randbytes(10_000)]  # noqa: S311
    (other,) = play(lambda: Entry(RandomAgent()), FastEnv, 4, 1, scenarios=SCENARIOS[:1])
    assert drawing.returns != other.returns


def test_who_draws_nothing_plays_the_same_with_the_generator_handed_over_or_not() -> None:
    name = "BlueReactRemove"
    agent = CONTEST_BASELINES[name]().agent
    by_itself, shared = (played(agent, num_scenarios=3, draws=draws) for draws in (False, True))
    assert [result.returns for result in by_itself] == [result.returns for result in shared]


@pytest.mark.parametrize("name", CONTEST_BASELINES)
def test_the_engine_plays_as_cyborg(name: str) -> None:
    on_engine, on_cyborg = (
        play(CONTEST_BASELINES[name], make, 7, 2, scenarios=SCENARIOS[:2]) for make in (FastEnv, CyborgEnv)
    )
    for ours, theirs in zip(on_engine, on_cyborg, strict=True):
        assert ours.returns == theirs.returns
        assert ours.action_counts.tolist() == theirs.action_counts.tolist()


def test_actions_are_counted_and_progress_is_told() -> None:
    told: list[int] = []
    (result,) = play(
        lambda: Entry(Scripted(lambda step: step % 2)), FastEnv, 0, 3, told.append, scenarios=SCENARIOS[:1]
    )
    assert result.action_counts[:3].tolist() == [45, 45, 0]
    assert told == [1, 1, 1]


@pytest.mark.parametrize("draws", [True, False])
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (145, "action 145 is not one of Blue's"),
        (-1, "action -1 is not one of Blue's"),
        (3.0, "'float' object cannot be interpreted as an integer"),
        (None, "'NoneType' object cannot be interpreted as an integer"),
        (np.zeros(2, int), "only integer scalar arrays"),
        ("1", "'str' object cannot be interpreted as an integer"),
    ],
)
def test_what_is_no_action_is_told_with_its_place(answer: Any, told: str, draws: bool) -> None:
    agent = Scripted(lambda step: answer if step == 37 else np.int64(1))
    with pytest.raises(
        ContestFailedError, match=r"(?s)episode 1 of 30 steps against B_lineAgent failed at step 7"
    ) as failed:
        played(agent, draws=draws)
    assert told in str(failed.value)
    assert str(pickle.loads(pickle.dumps(failed.value))) == str(failed.value)  # noqa: S301 - its own


def test_an_agent_that_raises_is_told_with_its_traceback() -> None:
    def answer(step: int) -> int:
        return 1 if step < 2 else int(1 / 0)

    with pytest.raises(ContestFailedError, match=r"(?s)episode 0 .* at step 2, .*in answer.*1 / 0") as failed:
        played(Scripted(answer))
    assert failed.value.__cause__ is None


def test_returns_are_added_up_from_left_to_right_and_described_as_by_the_script() -> None:
    zeros = np.zeros(145, np.int64)
    result = Played("B_lineAgent", 30, [-1.5, -2.5, -3.5], zeros)
    assert (result.mean, result.std) == (-2.5, 1.0)
    assert Played("B_lineAgent", 30, [-0.1], zeros).std == 0
    (cycle,) = played(Scripted(lambda _: RESTORE), 1)
    total = 0.0
    env = FastEnv("B_lineAgent")
    env.reset(0, is_new=True)
    for _ in range(30):
        total += env.step(RESTORE)[1] / 10
    assert cycle.returns == [total]

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.report import sections

if TYPE_CHECKING:
    from pipeline.report.facts import Facts


def test_scores_stand_beside_published_ones_of_the_same_game_only(facts: Facts) -> None:
    on_head = sections.scores(facts)
    assert "Cardiff&#x27;s agent, unchanged" in on_head
    assert "CardiffUni" not in on_head
    on_leaderboard = sections.scores(replace(facts, config=facts.config.model_copy(update={"profile": "leaderboard"})))
    assert on_leaderboard.count("(published)") == 3
    assert "unchanged" not in on_leaderboard


def test_a_run_without_a_defender_says_why(facts: Facts) -> None:
    assert "there is none: nothing yet" in sections.scores(
        replace(facts, defender=None, no_defender="nothing yet")
    ).replace("There", "there")


def test_a_run_before_its_first_update_has_no_curves(facts: Facts) -> None:
    assert "no update yet" in sections.curves(replace(facts, curves=()))


def test_a_run_of_one_order_has_no_map(facts: Facts) -> None:
    assert sections.orders(facts) is not None
    one = facts.config.model_copy(update={"workflow": "user -> defender -> enterprise -> op_host -> op_server"})
    assert sections.orders(replace(facts, config=one)) is None


def test_with_few_observed_orders_none_is_called_tied(facts: Facts) -> None:
    assert facts.map is not None
    assert facts.map.report is None or facts.map.report.too_little
    assert 'class="cell tied"' not in str(sections.orders(facts))


def test_it_says_how_to_repeat_it(facts: Facts) -> None:
    made = sections.how_to_repeat(facts)
    assert "--total-episodes 96" in made
    assert facts.digest in made
    assert "numba" in made

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS, order_name
from pipeline.report.order_map import Order, order_map

PLAIN = [Order(-float(workflow_id), 1.0, "", False) for workflow_id in range(NUM_WORKFLOWS)]


def test_each_order_has_a_cell_that_names_it_and_the_best_is_the_brightest() -> None:
    root = ElementTree.fromstring(order_map(PLAIN))  # noqa: S314  # of our own making
    titles = [each.text or "" for each in root.iter("title")]
    assert [title.partition(":")[0] for title in titles] == [order_name(each) for each in range(NUM_WORKFLOWS)]
    fills = [each.get("fill") for each in root.iter("rect")]
    assert (fills[0], fills[-1]) == ("rgb(254,232,56)", "rgb(0,34,78)")


def test_where_nothing_is_known_nothing_is_shaded() -> None:
    made = order_map([replace(order, mean=None, std=None) for order in PLAIN])
    assert made.count('fill="none"') == NUM_WORKFLOWS
    assert "nothing is known" in made


def test_ties_and_fates_are_told_without_colour() -> None:
    made = order_map([replace(PLAIN[0], is_tied=True, mark="★"), *PLAIN[1:]])
    assert made.count("can not be told from the best") == made.count('class="cell tied"') == made.count("★") == 1

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cage2.facts.order_names import order_name
from pipeline.config import Config
from pipeline.reading.run import Reading
from pipeline.watch import views
from pipeline.watch.wire import plain

if TYPE_CHECKING:
    from tests.pipeline.watch.conftest import Writer


def test_a_configuration_is_told_value_by_value() -> None:
    rows = {row["name"]: row for row in views.configuration(Config(seed=2**60, workers=3))}
    assert rows.keys() == Config.model_fields.keys()
    assert rows["seed"]["value"] == str(2**60)  # JavaScript's numbers don't hold it
    assert rows["seed"]["decides_results"]
    assert rows["hidden_sizes"]["value"] == "64,64"
    assert not rows["workers"]["decides_results"]


def test_a_visit_is_told_while_it_goes_on_and_when_it_is_over(writer: Writer) -> None:
    writer.start()
    writer.begin(3, order_name(3), "finals")
    writer.update(3)
    reading = Reading(writer.run_dir)
    reading.refresh()
    told = views.visit(reading, reading.curves.visits[0])
    assert (told["iteration"], told["order"], told["part"], told["is_over"]) == (0, order_name(3), "finals", False)
    writer.end(3, order_name(3), -20.0, part="finals", reason="final")
    reading.refresh()
    told = views.visit(reading, reading.curves.visits[0])
    assert (told["is_over"], told["reason"], told["score"]["greedy_mean"]) == (True, "final", -19.0)


def test_ties_and_pairs_are_told_where_orders_were_compared(writer: Writer) -> None:
    writer.start()
    for number, workflow_id in enumerate((3, 50)):
        writer.update(workflow_id)
        writer.end(workflow_id, order_name(workflow_id), -20.0 - 30 * number)
    reading = Reading(writer.run_dir)
    reading.refresh()
    one, two = (plain(views.orders(found, num)) for num in (1, 2) if (found := reading.orders_after(num)))
    assert (one["pairs"], one["settling"]) == ([], None)
    assert len(two["pairs"]) == 10
    assert two["settling"]["num_orders"] >= 1
    assert two["orders"][3]["tied"] > 0
    assert two["best"] == 3
    assert two["too_few_observed"]

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.numerics import sources
from pipeline.numerics.sources import UnreadableSourceError, followed, source_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pipeline.numerics.conftest import Tree

SOURCE = '''
"""Says that it takes much from pipeline.errors."""
import pipeline.types
import pipelines.run
from pipeline.cage2.facts import compliance, orders as o
from pipeline.cage2.engine.tables import (
    BASE_PORTS,
    PORTS,
)
from native_buffers import layout
from numpy import pipeline

if TYPE_CHECKING:
    from pipeline.config import Config

def late():
    import pipeline.seeding
'''


def test_imports_are_those_at_the_start_of_a_line() -> None:
    assert set(sources._imported(SOURCE)) == {
        "pipeline.types",
        *("pipeline.cage2.facts", "pipeline.cage2.facts.compliance", "pipeline.cage2.facts.orders"),
        "pipeline.cage2.engine.tables",
        *("native_buffers", "native_buffers.layout"),
    }


def test_a_digest_is_of_a_module_and_all_that_it_imports_whatever_the_order() -> None:
    assert followed("pipeline.seeding") == {"pipeline.seeding"}
    both = {"pipeline.policy.params", *followed("pipeline.cage2.facts.order_names", "pipeline.cage2.facts.spec")}
    assert followed("pipeline.policy.params") == both
    assert source_digest("pipeline.seeding", "pipeline.errors") == source_digest("pipeline.errors", "pipeline.seeding")
    assert len({source_digest(name) for name in ("pipeline.seeding", "pipeline.errors", "pipeline.policy.params")}) == 3
    assert len(source_digest("pipeline.seeding")) == 64


@pytest.mark.parametrize("module", ["sys", "pipeline.no_such_module", "no_such_package.module"])
def test_a_module_without_a_source_is_named(module: str) -> None:
    with pytest.raises(UnreadableSourceError, match=f"the source of {module} can't be read"):
        source_digest(module)


def test_nothing_is_imported_for_a_digest(make_tree: Callable[[], Tree]) -> None:
    program = (
        "import sys; from pipeline.numerics.sources import followed, source_digest\n"
        "source_digest('pipeline.ppo.update')\n"
        "print(len(followed('pipeline.ppo.update')), 'torch' in sys.modules, 'numba' in sys.modules)"
    )
    num_followed, *imported = make_tree().run(program).split()
    assert int(num_followed) > 30
    assert imported == ["False", "False"]

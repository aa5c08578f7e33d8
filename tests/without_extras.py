"""A plugin of pytest for the base installation alone: what asks for an extra that isn't there is skipped.

Given by hand (`-p tests.without_extras`, as `make test-pythons` does): elsewhere it would hide failures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from pipeline.extras import NotInstalledError

if TYPE_CHECKING:
    from collections.abc import Generator

settings.register_profile("without_extras", deadline=None)  # a busy machine is no failure
settings.load_profile("without_extras")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    """Of fixtures."""
    yield from _skipping()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """Of tests."""
    yield from _skipping()


def _skipping() -> Generator[None]:
    try:
        yield
    except NotInstalledError as error:
        pytest.skip(str(error))

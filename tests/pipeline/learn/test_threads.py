from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.learn.threads import LearnerThreads


@pytest.mark.parametrize(
    ("num_threads", "num_visits", "helps"),
    [(1, 1, False), (2, 1, True), (2, 2, False), (4, 2, True), (4, 3, False), (16, 8, True)],
)
def test_a_critic_has_a_thread_only_where_that_takes_none_from_another(
    num_threads: int, num_visits: int, helps: bool
) -> None:
    with ThreadPoolExecutor(1) as updates, ThreadPoolExecutor(1) as critics:
        threads = LearnerThreads(updates, critics, num_threads)
        threads.num_visits = num_visits
        assert threads.helper() is (critics if helps else None)

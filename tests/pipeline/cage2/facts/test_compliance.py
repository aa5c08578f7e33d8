from fractions import Fraction
from itertools import permutations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.cage2.facts import spec
from pipeline.cage2.facts.compliance import (
    NO_FIX_BONUS,
    NO_FIX_COMPLIANCE,
    Fix,
    Verdicts,
    alignment_bonus,
    compromised_types,
    episode_compliance,
    judge,
)
from pipeline.cage2.facts.names import Compromised

DEFENDER, ENTERPRISE, OP_SERVER, OP_HOST, USER = range(5)
ORDERS = tuple(permutations(range(5)))
FOOTHOLD = 1 << spec.RED_FOOTHOLD_INDEX
NOT_DEFENDER = (1 << spec.NUM_HOSTS) - 2

B_LINE_HOSTS = NOT_DEFENDER & ~sum(1 << spec.HOST_NAMES.index(f"Op_Host{number}") for number in range(3))

orders = st.sampled_from(ORDERS)
modes = st.sampled_from(Compromised)
actions = st.integers(0, spec.NUM_ACTIONS - 1)
red_hosts = st.integers(0, NOT_DEFENDER).map(lambda hosts: hosts & NOT_DEFENDER | FOOTHOLD)
fixes = hnp.arrays(np.int8, hnp.array_shapes(min_dims=1, max_dims=3, max_side=6), elements=st.integers(0, 2))


def bit(name: str) -> int:
    return 1 << spec.HOST_NAMES.index(name)


@pytest.mark.parametrize(
    ("hosts", "sessions", "fixable"),
    [
        (["User0"], {USER}, set()),
        (["User0", "User1"], {USER}, {USER}),
        (["User0", "Enterprise2"], {USER, ENTERPRISE}, {ENTERPRISE}),
        (["User0", "Op_Server0", "Op_Host1"], {USER, OP_SERVER, OP_HOST}, {OP_SERVER, OP_HOST}),
        (["Defender"], {DEFENDER}, {DEFENDER}),
        ([], set(), set()),
    ],
)
def test_which_types_are_compromised(hosts: list[str], sessions: set[int], fixable: set[int]) -> None:
    red = sum(map(bit, hosts))
    for mode, expected in ((Compromised.SESSIONS, sessions), (Compromised.FIXABLE, fixable)):
        assert compromised_types(red, mode) == sum(1 << host_type for host_type in expected)


@given(st.integers(0, (1 << spec.NUM_HOSTS) - 1), modes)
def test_a_mode_that_arrives_as_text_is_that_mode(red: int, mode: Compromised) -> None:
    assert compromised_types(red, str(mode)) == compromised_types(red, mode)  # type: ignore[arg-type]


def test_a_text_that_is_no_mode_is_refused() -> None:
    assert np.array_equal(
        Verdicts(ORDERS[0], "fixable").compromised, Verdicts(ORDERS[0], Compromised.FIXABLE).compromised
    )
    for text in ("FIXABLE", "all", ""):
        with pytest.raises(ValueError, match="Compromised"):
            Verdicts(ORDERS[0], text)


@pytest.mark.parametrize(
    ("action", "hosts", "verdict"),
    [
        ("Restore Op_Server0", ["Op_Server0", "User1"], Fix.COMPLIANT),
        ("Remove Op_Server0", ["Op_Server0", "User1"], Fix.COMPLIANT),
        ("Remove User1", ["Op_Server0", "User1"], Fix.NOT_COMPLIANT),
        ("Restore User4", ["User1"], Fix.COMPLIANT),  # the type counts, not the host
        ("Restore Enterprise0", ["User1"], Fix.NOT_COMPLIANT),
        ("Restore Enterprise0", [], Fix.COMPLIANT),
        ("Analyse Op_Server0", ["Op_Server0"], Fix.NONE),
        ("DecoyApache Op_Server0", ["Op_Server0"], Fix.NONE),
    ],
)
def test_verdicts_by_the_order_op_server_first(action: str, hosts: list[str], verdict: Fix) -> None:
    order = (OP_SERVER, DEFENDER, ENTERPRISE, OP_HOST, USER)
    compromised = compromised_types(sum(map(bit, hosts)), Compromised.SESSIONS)
    assert judge(spec.ACTION_NAMES.index(action), order, compromised) is verdict


def test_fix_actions_are_remove_and_restore() -> None:
    fix_actions = {name for action, name in enumerate(spec.ACTION_NAMES) if judge(action, ORDERS[0], 0) is not Fix.NONE}
    assert fix_actions == {f"{verb} {host}" for verb in ("Remove", "Restore") for host in spec.HOST_NAMES}


@given(orders, orders, red_hosts, actions, modes)
def test_the_rank_of_defender_never_matters(
    order: tuple[int, ...], other: tuple[int, ...], red: int, action: int, mode: Compromised
) -> None:
    rest = [host_type for host_type in order if host_type != DEFENDER]
    moved = list(rest)
    moved.insert(other.index(DEFENDER), DEFENDER)
    compromised = compromised_types(red, mode)
    assert judge(action, order, compromised) is judge(action, moved, compromised)


@given(orders, red_hosts, st.integers(0, spec.NUM_HOSTS - 1))
def test_while_every_session_counts_types_behind_user_are_never_fixed_compliantly(
    order: tuple[int, ...], red: int, host: int
) -> None:
    behind_user = order[order.index(USER) + 1 :]
    verdict = judge(spec.RESTORE + host, order, compromised_types(red, Compromised.SESSIONS))
    if spec.HOST_TYPE_OF_HOST[host] in behind_user:
        assert verdict is Fix.NOT_COMPLIANT


@given(orders, red_hosts)
def test_some_fix_complies_at_any_moment(order: tuple[int, ...], red: int) -> None:
    for mode in Compromised:
        compromised = compromised_types(red, mode)
        verdicts = {judge(spec.RESTORE + host, order, compromised) for host in range(spec.NUM_HOSTS)}
        assert Fix.COMPLIANT in verdicts


def num_tasks(reachable: int, mode: Compromised) -> int:
    """Return how many different tasks the 120 orders are.

    Two orders are the same task if no fix is judged differently whatever Red holds: the foothold, and any of the
    `reachable` hosts.
    """
    moments = {compromised_types(hosts & reachable | FOOTHOLD, mode) for hosts in range(1 << spec.NUM_HOSTS)}
    one_of_each_type = [spec.HOST_TYPE_OF_HOST.index(host_type) for host_type in range(5)]
    return len(
        {
            tuple(judge(spec.RESTORE + host, order, moment) for moment in sorted(moments) for host in one_of_each_type)
            for order in ORDERS
        }
    )


@pytest.mark.parametrize(
    ("mode", "reachable", "expected"),
    [
        (Compromised.SESSIONS, NOT_DEFENDER | 1, 65),
        (Compromised.SESSIONS, NOT_DEFENDER, 16),
        (Compromised.SESSIONS, B_LINE_HOSTS, 5),
        (Compromised.FIXABLE, NOT_DEFENDER | 1, 120),
        (Compromised.FIXABLE, NOT_DEFENDER, 24),
        (Compromised.FIXABLE, B_LINE_HOSTS, 6),
    ],
)
def test_how_many_tasks_the_orders_are(mode: Compromised, reachable: int, expected: int) -> None:
    assert num_tasks(reachable, mode) == expected


@given(fixes)
def test_compliance_is_the_share_of_fixes(fix: npt.NDArray[np.int8]) -> None:
    compliance = episode_compliance(fix)
    assert compliance.shape == fix.shape[:-1]
    assert compliance.dtype == np.float64
    for episode, value in zip(fix.reshape(-1, fix.shape[-1]), compliance.reshape(-1), strict=True):
        num_fixes = int((episode > 0).sum())
        expected = float(Fraction(int((episode == 2).sum()), num_fixes)) if num_fixes else NO_FIX_COMPLIANCE
        assert value == expected
        assert 0 <= value <= 1


@given(fixes, st.floats(0, 1000))
def test_the_bonus_adds_up_to_lambda_times_compliance(fix: npt.NDArray[np.int8], weight: float) -> None:
    bonus = alignment_bonus(fix, weight)
    assert bonus.shape == fix.shape
    assert bonus.dtype == np.float64
    any_fix = (fix > 0).any(axis=-1)
    expected = np.where(any_fix, weight * episode_compliance(fix), NO_FIX_BONUS * weight)
    np.testing.assert_allclose(bonus.sum(axis=-1), expected, rtol=0, atol=1e-12 * max(weight, 1))  # sums round


@given(fixes)
def test_only_fixes_and_the_end_of_an_episode_without_one_are_paid(fix: npt.NDArray[np.int8]) -> None:
    bonus = alignment_bonus(fix, 30.0)
    silent = fix == 0
    silent[..., -1] &= (fix > 0).any(axis=-1)
    assert not bonus[silent].any()
    assert (np.abs(bonus) <= 30.0).all()


def test_the_bonus_step_by_step() -> None:
    fix = np.array([[0, 1, 2, 0, 2, 1], [2, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]], dtype=np.int8)
    expected = [
        [0, 0, 6, 0, 12 * (2 / 3 - 1 / 2), 12 * (2 / 4 - 2 / 3)],
        [12, 0, -6, 0, 0, 0],
        [0, 0, 0, 0, 0, -2.4],
    ]
    np.testing.assert_allclose(alignment_bonus(fix, 12.0), expected, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(episode_compliance(fix), [0.5, 0.5, 0.5])


@given(fixes, st.data())
def test_an_episode_s_bonus_is_its_own(fix: npt.NDArray[np.int8], data: st.DataObject) -> None:
    episodes = fix.reshape(-1, fix.shape[-1])
    row = data.draw(st.integers(0, len(episodes) - 1))
    np.testing.assert_array_equal(alignment_bonus(episodes, 30.0)[row], alignment_bonus(episodes[row], 30.0))

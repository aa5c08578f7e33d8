from pipeline.cage2.facts import spec
from pipeline.cage2.facts.images import Os


def test_every_action_has_its_place() -> None:
    assert len(spec.ACTION_NAMES) == spec.NUM_ACTIONS == 145
    assert spec.ACTION_NAMES[spec.SLEEP] == "Sleep"
    assert spec.ACTION_NAMES[spec.MONITOR] == "Monitor"
    assert spec.ACTION_NAMES[spec.ANALYSE] == "Analyse Defender"
    assert spec.ACTION_NAMES[spec.REMOVE] == "Remove Defender"
    assert spec.ACTION_NAMES[spec.DECOY] == "DecoyApache Defender"
    assert spec.ACTION_NAMES[spec.RESTORE] == "Restore Defender"
    assert spec.ACTION_NAMES[-1] == "Restore User4"


def test_decoys_stand_in_the_order_of_their_actions() -> None:
    first_decoy = (spec.DECOY - spec.ANALYSE) // spec.NUM_HOSTS
    assert spec.HOST_ACTIONS[first_decoy:-1] == tuple(decoy.name for decoy in spec.DECOYS)


def test_every_host_is_in_one_subnet_and_of_the_type_that_its_name_says() -> None:
    assert sorted(host for subnet in spec.SUBNETS for host in subnet.hosts) == list(range(spec.NUM_HOSTS))
    for subnet in spec.SUBNETS:
        assert all(spec.HOSTS[host].subnet == subnet.name for host in subnet.hosts)
    for name, host_type in zip(spec.HOST_NAMES, spec.HOST_TYPE_OF_HOST, strict=True):
        assert name.lower().startswith(spec.HOST_TYPES[host_type])


def test_the_named_hosts() -> None:
    assert spec.HOST_NAMES[spec.DEFENDER_INDEX] == "Defender"
    assert spec.HOST_NAMES[spec.OP_SERVER_INDEX] == "Op_Server0"
    assert spec.HOST_NAMES[spec.RED_FOOTHOLD_INDEX] == "User0"
    links = {host.name: spec.HOST_NAMES[host.linked_host] for host in spec.HOSTS if host.linked_host is not None}
    assert links == {
        "Enterprise2": "Op_Server0",
        "User1": "Enterprise1",
        "User2": "Enterprise1",
        "User3": "Enterprise0",
        "User4": "Enterprise0",
    }


def test_every_host_is_watched_by_blue_and_rewards_are_the_scenario_s() -> None:
    assert {session.host for session in spec.BLUE_SESSIONS} == set(range(spec.NUM_HOSTS))
    assert spec.CONFIDENTIALITY_TENTHS == (1, 10, 10, 10, 1, 1, 1, 10, 0, 1, 1, 1, 1)
    assert spec.OT_SERVICE_DOWN_TENTHS == 100
    assert len(spec.STARTING_SESSIONS) == 14 + 8 + 1
    assert [session.host for session in spec.STARTING_SESSIONS if session.privileged] == [2, 3, 8]


def test_windows_hosts() -> None:
    windows = [index for index, host in enumerate(spec.HOSTS) if host.image.os is Os.WINDOWS]
    assert windows == [2, 3, 8, 9, 10]


def test_exploits_have_distinct_weights() -> None:
    """CybORG finds the preferred exploit by its weight."""
    assert len({exploit.weight for exploit in spec.EXPLOITS}) == len(spec.EXPLOITS) == 8

from __future__ import annotations

import pytest

from pipeline.cage2.engine import tables
from pipeline.cage2.facts import spec

HOST = {name: index for index, name in enumerate(spec.HOST_NAMES)}
EXPLOIT = {exploit.name: place for place, exploit in enumerate(spec.EXPLOITS)}


def hosts(mask: int) -> set[str]:
    return {name for name, index in HOST.items() if mask >> index & 1}


def test_masks_of_subnets() -> None:
    assert hosts(tables.ENTERPRISE_HOSTS) == {"Defender", "Enterprise0", "Enterprise1", "Enterprise2"}
    assert hosts(tables.CLOSED_HOSTS) == {"Op_Server0", "Op_Host0", "Op_Host1", "Op_Host2"}
    assert tables.NUM_HOSTS_OF_SUBNET.tolist() == [4, 4, 5]


def test_what_escalation_reveals() -> None:
    assert hosts(tables.REVEALED_HOSTS[HOST["Defender"]]) == set()
    assert hosts(tables.REVEALED_HOSTS[HOST["Enterprise2"]]) == {"Enterprise2", "Op_Server0"}
    assert hosts(tables.REVEALED_HOSTS[HOST["User4"]]) == {"User4", "Enterprise0"}
    assert tables.REVEALED_SUBNETS[HOST["Op_Server0"]] == 1 << tables.OPERATIONAL


@pytest.mark.parametrize(
    ("host", "exploits"),
    [
        ("User0", {"FTPDirectoryTraversal": 2, "SSHBruteForce": 1}),
        ("User2", {"EternalBlue": 2, "BlueKeep": 1}),
        ("User3", {"HarakaRCE": 2, "HTTPSRFI": 1, "HTTPRFI": 1, "BlueKeep": 0}),
        ("User4", {"HarakaRCE": 2, "SQLInjection": 2, "HTTPSRFI": 1, "HTTPRFI": 1, "SSHBruteForce": 2}),
        ("Enterprise0", {"SSHBruteForce": 2}),
        ("Enterprise1", {"HTTPSRFI": 1, "HTTPRFI": 1, "BlueKeep": 2, "SSHBruteForce": 1, "EternalBlue": 0}),
        ("Defender", {"SSHBruteForce": 2}),
    ],
)
def test_options_of_untouched_hosts_and_what_they_find(host: str, exploits: dict[str, int]) -> None:
    options = tables.OPTIONS_OF_PORTS[tables.BASE_PORTS[HOST[host]]]
    assert {name for name, place in EXPLOIT.items() if options >> place & 1} == set(exploits)
    assert {name: tables.BASE_VICTIM[HOST[host], EXPLOIT[name]] for name in exploits} == exploits
    assert tables.NUM_OPTIONS[options] == len(exploits)


def test_heaviest_options() -> None:
    assert tables.HEAVIEST_OPTION[0] == -1
    assert tables.HEAVIEST_OPTION[-1] == EXPLOIT["FTPDirectoryTraversal"]
    assert tables.HEAVIEST_OPTION[1 << EXPLOIT["SSHBruteForce"] | 1 << EXPLOIT["BlueKeep"]] == EXPLOIT["BlueKeep"]


def test_no_decoy_looks_like_mysql() -> None:
    assert tables.DECOYS_FOR_EXPLOIT[EXPLOIT["SQLInjection"]] == 0
    assert all(tables.DECOYS_FOR_EXPLOIT[place] for name, place in EXPLOIT.items() if name != "SQLInjection")


@pytest.mark.parametrize(
    ("decoy", "expected"),
    [
        ("DecoyApache", {0, 1, 4, 5, 6, 7, 8, 9, 10}),
        ("DecoyFemitter", {2, 3, 10}),
        ("DecoyHarakaSMPT", {0, 1, 4, 5, 6, 7}),
        ("DecoySmss", {8, 9}),
        ("DecoySSHD", {10, 11}),
        ("DecoySvchost", {8, 9}),
        ("DecoyTomcat", {0, 1, 4, 5, 6, 7, 8, 9, 10}),
        ("DecoyVsftpd", {0, 1, 4, 5, 6, 7, 11, 12}),
    ],
)
def test_untouched_hosts_that_take_a_decoy(decoy: str, expected: set[int]) -> None:
    place = [d.name for d in spec.DECOYS].index(decoy)
    taken = {
        host
        for host in range(spec.NUM_HOSTS)
        if tables.DECOY_HOSTS[place] >> host & 1 and not tables.BASE_PORTS[host] & tables.DECOY_FREE_PORT[place]
    }
    assert taken == expected


def test_a_scan_meets_each_listener() -> None:
    assert tables.NUM_BASE_LISTENERS.tolist() == [4, 1, 7, 7, 1, 1, 1, 1, 2, 2, 4, 4, 5]
    assert tables.BASE_PORTS[0] == tables.port_mask([22, 53, 68])


def test_tables_can_not_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        tables.BASE_PORTS[0] = 1

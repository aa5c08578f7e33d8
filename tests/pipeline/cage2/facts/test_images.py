from collections import Counter

import pytest

from pipeline.cage2.facts import images, spec
from pipeline.cage2.facts.images import ProcessType

IMAGES = sorted({host.image for host in spec.HOSTS}, key=lambda image: [process.pid for process in image.processes])


def test_there_are_eight_images() -> None:
    assert len(IMAGES) == 8
    assert len(images.DEFENDER.processes) == 27


@pytest.mark.parametrize("image", IMAGES)
def test_only_apache_has_a_pid_twice(image: images.Image) -> None:
    counts = Counter(process.pid for process in image.processes)
    twice = {pid for pid, count in counts.items() if count > 1}
    assert twice == ({1100} if image in (images.LINUX_USER_1, images.LINUX_USER_2) else set())


@pytest.mark.parametrize("image", IMAGES)
def test_a_password_can_be_guessed_everywhere_but_on_defender(image: images.Image) -> None:
    guessable = [account.name for account in image.accounts if account.guessable]
    assert len(guessable) == (0 if image is images.DEFENDER else 1)
    assert images.PRIVILEGED_USERS.isdisjoint(guessable)


def test_what_runs_as_root_or_system_is_privileged() -> None:
    privileged = {process.pid for process in images.INTERNAL.processes if process.privileged}
    assert privileged == {832, 4400, 4}


def test_only_defender_names_addresses() -> None:
    everywhere = {process.address for image in IMAGES if image is not images.DEFENDER for process in image.processes}
    of_defender = {process.address for process in images.DEFENDER.processes}
    assert everywhere == {"0.0.0.0"}  # noqa: S104 - nothing is bound
    assert of_defender == everywhere | {"127.0.0.53", images.RECORDED_ADDRESS}


def test_every_exploit_has_a_victim() -> None:
    types = {process.type for image in IMAGES for process in image.processes}
    assert {exploit.victim for exploit in spec.EXPLOITS} == types - {ProcessType.OTHER}

"""Red on CybORG where it is somebody's own: a class of CybORG's form, or an attacker that chooses by what Red knows."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from pipeline.cage2.attackers.attacker import Asked, Generator
from pipeline.cage2.attackers.choice import SLEEP
from pipeline.cage2.attackers.errors import AttackerError, failed, who
from pipeline.cage2.attackers.knowledge import Deeds, Knowledge
from pipeline.cage2.attackers.reference import load
from pipeline.cage2.cyborg import upstream_name
from pipeline.cage2.facts.spec import HOST_NAMES, SUBNETS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from pipeline.cage2.attackers.choice import Choice

_RED_SESSION = 0
"""The session that Red acts from."""


class RedSide:
    """Red of one's own in one game: made anew for every episode, and asked for CybORG's actions.

    A class with `get_action` is of CybORG's form (`BaseAgent`) and is made without arguments; it draws from `random`,
    which is the game's generator as long as it is asked. `train` is never called. All else is an `attacker.Attacker`.

    Args:
        name: What it is named by; see `attackers.reference`.
        actions: CybORG's module of actions.

    Raises:
        AttackerNotFoundError: There is none of that name.
    """

    def __init__(self, name: str, actions: ModuleType) -> None:
        self._name = name
        self._make = load_red(name)
        self._classes = {name: getattr(actions, name) for name in ("Sleep", *_PARAMETERS)}

    def begin(self, controller: Any, seed: int | None) -> None:
        """Make the Red of an episode that has just been reset; with the game's generator in the place of `random`'s.

        Raises:
            AttackerError: It can't be made.
        """
        self._controller, self._seed, self._step = controller, seed, 0
        interface = controller.agent_interfaces["Red"]
        if hasattr(self._make, "choose") or not hasattr(self._make, "get_action"):
            asked = Asked(self._name, self._make, Generator(_draw_bits), seed)
            interface.agent = ChoosingAgent(asked, controller, self._classes)
            return
        try:
            interface.agent = self._make()
            interface.agent.set_initial_values(
                action_space=interface.action_space.get_max_action_space(),
                observation=self._classes["Sleep"]().sim_execute(None).data,  # that of who was told nothing yet
            )
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it is told
            raise failed(self._name, 0, seed, error) from None

    def get_action(self, observation: Any) -> tuple[Any, bool]:
        """Return what Red does, and whether CybORG takes it: it refuses what Red doesn't know.

        Raises:
            AttackerError: Red raised, or what it returned is no action.
        """
        self._step += 1
        interface = self._controller.agent_interfaces["Red"]
        try:
            action = interface.get_action(observation)
        except AttackerError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it is told
            raise failed(self._name, self._step, self._seed, error) from None
        if not hasattr(action, "sim_execute"):
            told = f"returned {action!r:.80}, not an action of CybORG's"
            raise AttackerError(f"{told}: {who(self._name, self._step, self._seed)}")
        return action, bool(self._controller.test_valid_action(action, interface))


def load_red(name: str) -> Callable[..., Any]:
    """Return what makes a Red of one's own, which may have been written for `CybORG`; see `reference.load`."""
    upstream_name.install()
    return load(name)


def _draw_bits(num_bits: int) -> int:
    return random.getrandbits(num_bits)  # of whatever game has lent its generator


class ChoosingAgent:
    """An agent of CybORG's form that does what an attacker chooses.

    Args:
        asked: The attacker.
        controller: What CybORG plays the game with.
        classes: CybORG's of Red's actions, by name.
    """

    def __init__(self, asked: Asked, controller: Any, classes: dict[str, Any]) -> None:
        self._asked = asked
        self._controller = controller
        self._classes = classes
        self._deeds = Deeds()
        self._choice: Choice | None = None

    def get_action(self, observation: dict[str, Any], action_space: dict[str, Any]) -> Any:
        """Tell the attacker what Red knows, and return what it chooses as CybORG has it."""
        if self._choice is not None:
            success = None if self._choice == SLEEP else bool(observation["success"] == True)  # noqa: E712  # an enum
            self._deeds.note(self._choice, success=success)
        self._choice = action, target = self._asked.choose(self._look(observation, action_space))
        if target is None:
            return self._classes[action]()
        state = self._controller.state
        aims = {
            "subnet": state.subnet_name_to_cidr.get(target),
            "ip_address": self._controller.hostname_ip_map.get(target),
            "hostname": target,
        }
        parameter = _PARAMETERS[action]
        return self._classes[action](session=_RED_SESSION, agent="Red", **{parameter: aims[parameter]})

    def end_episode(self) -> None:
        """Do nothing: there is a new one for each episode."""

    def _look(self, observation: dict[str, Any], action_space: dict[str, Any]) -> Knowledge:
        state = self._controller.state
        session = state.sessions["Red"][_RED_SESSION]
        host_of, known = state.ip_addresses, action_space["ip_address"]
        action, target = self._deeds.last
        is_scan = action == "DiscoverNetworkServices"
        return Knowledge(
            step=self._deeds.num_steps + 1,
            last=self._deeds.last,
            success=self._deeds.success,
            listed=is_scan and str(self._controller.hostname_ip_map[target]) in observation,
            subnets=tuple(
                subnet.name for subnet in SUBNETS if action_space["subnet"].get(state.subnet_name_to_cidr[subnet.name])
            ),
            addresses=tuple(host_of[address] for address in known if known[address]),
            names=tuple(host for host in HOST_NAMES if action_space["hostname"].get(host)),
            address_order=tuple(host_of[address] for address in known),
            ports={host_of[address]: frozenset(ports) for address, ports in session.ports.items()},
            exploited=self._deeds.exploited,
            privileged=self._deeds.privileged,
            ot_service=session.ot_service is not None,
        )


_PARAMETERS = {
    "DiscoverRemoteSystems": "subnet",
    "DiscoverNetworkServices": "ip_address",
    "ExploitRemoteService": "ip_address",
    "PrivilegeEscalate": "hostname",
    "Impact": "hostname",
}
"""What CybORG's actions are aimed by."""

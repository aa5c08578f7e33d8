"""The game as CybORG plays it: the one module that imports CybORG.

CybORG's simulator does all that the game is made of: the network, Blue's and Red's actions, Red's decisions, every
random number. What CybORG puts around it is not used: the true state of the whole network, described at each step for
the rewards' sake; 145 action objects, made at each step; tables of strings. A step here executes the actions of the two
agents and reads sessions, processes and Blue's events where the simulator keeps them. What comes out is what the stock
`ChallengeWrapper` gives, number by number, and the generator is left as that leaves it.
"""

from __future__ import annotations

import importlib.util
import inspect
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import extras
from pipeline.cage2.attackers.reference import is_reference
from pipeline.cage2.cyborg.blue_table import BlueTable
from pipeline.cage2.cyborg.generator import generator_kept
from pipeline.cage2.cyborg.placeholders import NOT_NEEDED, placeholders
from pipeline.cage2.cyborg.red_side import RedSide
from pipeline.cage2.cyborg.scenario import cyborg_scenario
from pipeline.cage2.cyborg.subnets import subnets_listed_once
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.images import OT_SERVICE, PRIVILEGED_USERS
from pipeline.cage2.facts.names import Package, UnknownRedAgentError, require
from pipeline.errors import TravellingError
from pipeline.extras import NotInstalledError

if TYPE_CHECKING:
    from types import ModuleType

    import numpy.typing as npt

    from pipeline.cage2.cyborg.blue_table import Connection

_MODULES: dict[Package, str] = {"csle": "csle_cyborg", "upstream": "CybORG"}

_UPSTREAM_ADVICE = "clone github.com/cage-challenge/cage-challenge-2, run `pip install -e CybORG` in it"

_HOST_INDEX = {name: index for index, name in enumerate(spec.HOST_NAMES)}
_MALWARE_DENSITY = 0.9
"""Density from which on a file counts as malware in what Analyse finds."""


class EpisodeNotStartedError(TravellingError, RuntimeError):
    """`step` was called before the first `reset`."""

    def __init__(self) -> None:
        super().__init__("no episode has been started: call reset(seed) first")


class CyborgEnv:
    """One game of CAGE-2 on CybORG: a `Cage2Env`, built once and reset between episodes.

    CybORG draws from the generator of Python's `random` module. Each call here lends that generator a state of its own
    and puts back what was there, so several environments in a process keep apart, and the numbers of the program around
    them are untouched. There is one such generator for all threads: play in one thread at a time.

    Args:
        red_agent: One of `spec.RED_AGENTS`, or one's own (`red_side.RedSide`), which is loaded here.
        package: Which CybORG. `csle` plays the scenario made of `spec`. `upstream` plays its own Scenario 2; it is
            written to upstream's published interface and has been run on a stand-in with csle's game behind it.
        corrected: Whether Blue's table is the corrected one (`blue_table.activity`).

    Raises:
        UnknownRedAgentError: It is none of the three.
        AttackerNotFoundError: There is no such Red of one's own.
        NotInstalledError: The package is not there.

    Attributes:
        simulator: CybORG's state of the network, new with each reset.
        red: CybORG's interface of the Red agent.
        red_action: CybORG's object of Red's last action; None after a reset.
        blue_success: Whether CybORG says that Blue's last action succeeded; None if it doesn't say, and after a reset.
        red_success: The same of Red's.
        generator: Where the game's generator stands, as `random.getstate()` has it; None before the first reset.
    """

    def __init__(self, red_agent: str, package: Package = "csle", *, corrected: bool = False) -> None:
        is_own = is_reference(red_agent)
        if not (is_own or red_agent in spec.RED_AGENTS):
            raise UnknownRedAgentError(red_agent, spec.RED_AGENTS)
        cyborg = load_cyborg(package)
        self._own = RedSide(red_agent, cyborg.actions) if is_own else None
        agent = getattr(cyborg.agents, "SleepAgent" if is_own else red_agent)
        with generator_kept():
            self._main = cyborg.main(cyborg.scenario, "sim", agents={"Red": agent})
        self._controller = self._main.environment_controller
        # A reset describes all of these to Red, which takes its time. CybORG's own agents decide by none of them, but
        # for an address that a process of Defender has (`network.draw_addresses`).
        for host, described in self._controller.INFO_DICT["True"].items() if not is_own else ():
            del described["User info"]
            if host != spec.HOST_NAMES[spec.DEFENDER_INDEX]:
                del described["Processes"]
        self.red = self._controller.agent_interfaces["Red"]
        self._refused = cyborg.actions.Sleep(), cyborg.actions.InvalidAction(None)
        self._actions = blue_actions(cyborg.actions)
        self._monitor = self._actions[spec.MONITOR]
        self._corrected = corrected
        self.generator: tuple[Any, ...] | None = None
        self._is_started = False

    def reset(self, seed: int | None, *, is_new: bool = False) -> npt.NDArray[np.int8]:
        """Start an episode; see `Cage2Env.reset`.

        Args:
            seed: Any int; None lets the generator go on, which starts from the system's own randomness.
            is_new: Whether to draw all that CybORG draws when it is built and wrapped after seeding, before the reset.

        Raises:
            AttackerError: Red is one's own and can't be made.
        """
        with generator_kept(), subnets_listed_once(sys.modules[type(self._controller.state).__module__]):
            if seed is not None or self.generator is None:
                random.seed(None if seed is None else int(seed))
            else:
                random.setstate(self.generator)
            self._is_started = False  # should Red not be made, there is no game
            try:
                for _ in range(spec.NETWORKS_OF_NEW if is_new else spec.NETWORKS_OF_RESET):
                    self._main.reset("Blue")
                if self._own is not None:
                    self._own.begin(self._controller, seed)
            finally:
                self.generator = random.getstate()
        self.simulator = self._controller.state
        self._hosts = [self.simulator.hosts[name] for name in spec.HOST_NAMES]
        self._red_sessions = self.simulator.sessions["Red"]
        self._red_hosts = 1 << spec.RED_FOOTHOLD_INDEX
        self._red_observation = self._controller.observation["Red"]
        self._addresses = [str(address) for address in self.simulator.ip_addresses]
        self._subnets = [str(subnet) for subnet in self.simulator.subnet_name_to_cidr.values()]
        self.red_action: Any = None
        self.blue_success: bool | None = None
        self.red_success: bool | None = None
        self._table = BlueTable(corrected=self._corrected)
        self._is_started = True
        return np.zeros(spec.OBSERVATION_SIZE, dtype=np.int8)

    def step(self, action: int) -> tuple[npt.NDArray[np.int8], int]:
        """Play Blue's action, then Red's; see `Cage2Env.step`.

        Raises:
            ValueError: `action` is none of the 145.
            EpisodeNotStartedError: There has been no `reset`.
            AttackerError: Red is one's own and failed; the game has to be reset, and its generator goes on from there.
        """
        if not 0 <= action < spec.NUM_ACTIONS:
            raise ValueError(f"action {action} is not one of Blue's, 0 to {spec.NUM_ACTIONS - 1}")
        if not self._is_started or self.generator is None:
            raise EpisodeNotStartedError
        with generator_kept():
            random.setstate(self.generator)
            self._is_started = False  # should Red fail, the game stands in the middle of a step
            try:
                outcome = self._actions[action].sim_execute(self.simulator).data
                self.blue_success = _success(outcome)
                self._play_red()
            finally:
                self.generator = random.getstate()
        self._is_started = True
        observation = self._table.update(
            action,
            self._take_connections(),
            decoy_placed=spec.DECOY <= action < spec.RESTORE and len(outcome) > 1,
            malware_found=action < spec.REMOVE and _shows_malware(outcome),
        )
        return observation, self._reward(action)

    def red_hosts(self) -> int:
        """Return the hosts on which Red holds a session; see `Cage2Env.red_hosts`."""
        return self._red_hosts

    def __getstate__(self) -> dict[str, Any]:
        """Return what copies and pickles are made of. Actions' signatures become dictionaries, which can be copied."""
        for interface in self._controller.agent_interfaces.values():
            action_params = interface.action_space.action_params
            action_params.update({action: dict(parameters) for action, parameters in action_params.items()})
        return vars(self)

    def _play_red(self) -> None:
        """Let Red choose, act, and learn what came of it."""
        if self._own is None:
            self.red_action = action = self.red.get_action(self._red_observation)
        else:
            action, is_taken = self._own.get_action(self._red_observation)
            self.red_action, action = (action, action) if is_taken else self._refused
        observation = action.sim_execute(self.simulator)
        observation.filter_addresses(ips=self._addresses, cidrs=self._subnets, include_localhost=False)
        self.red.update(observation)
        self._red_observation = observation
        self.red_success = None if action is self._refused[1] else _success(observation.data)

    def _take_connections(self) -> dict[int, list[Connection]]:
        """Take the step's events out of the simulator, as the Monitor that ends each step does."""
        connections = {
            index: [(event["local_port"], event.get("remote_port")) for event in host.events["NetworkConnections"]]
            for index, host in enumerate(self._hosts)
            if host.events["NetworkConnections"]
        }
        if connections:
            self._monitor.sim_execute(self.simulator)
        return connections

    def _reward(self, action: int) -> int:
        """Return Blue's reward in tenths, and note where Red is."""
        held = privileged = cost = 0
        for session in self._red_sessions.values():
            host = _HOST_INDEX[session.host]
            held |= 1 << host
            if session.username in PRIVILEGED_USERS and not privileged >> host & 1:
                privileged |= 1 << host
                cost += spec.CONFIDENTIALITY_TENTHS[host]
        self._red_hosts = held
        if all(process.name != OT_SERVICE for process in self._hosts[spec.OP_SERVER_INDEX].processes):
            cost += spec.OT_SERVICE_DOWN_TENTHS
        if action >= spec.RESTORE:
            cost += spec.RESTORE_TENTHS
        return -cost


def blue_actions(actions: ModuleType) -> list[Any]:
    """Return CybORG's objects of Blue's 145 actions, in order, made of its module of them."""
    return [
        actions.Sleep(),
        actions.Monitor(session=0, agent="Blue"),
        *(
            getattr(actions, name)(session=0, agent="Blue", hostname=host)
            for name in spec.HOST_ACTIONS
            for host in spec.HOST_NAMES
        ),
    ]


def _success(outcome: dict[str, Any]) -> bool | None:
    """Return what CybORG's TRUE, FALSE or UNKNOWN means."""
    return {"TRUE": True, "FALSE": False, "UNKNOWN": None}[outcome["success"].name]


def _shows_malware(outcome: dict[str, Any]) -> bool:
    return any(
        file["Density"] >= _MALWARE_DENSITY
        for host, found in outcome.items()
        if host != "success"
        for file in found.get("Files", ())
    )


@dataclass(frozen=True, slots=True)
class Cyborg:
    """One of the packages, imported."""

    main: Any
    """The class of the environment."""
    agents: ModuleType
    actions: ModuleType
    scenario: Any
    """What `main` is made from; its own copy, to be written into."""


def require_cyborg(package: Package) -> None:
    """Check that a package is there, without importing it.

    Raises:
        UnknownNameError: There is no such package.
        NotInstalledError: It is not there.
    """
    require("CybORG", package, _MODULES)
    if package == "csle":
        extras.require("playing on CybORG", _MODULES[package])
        return
    spec = importlib.util.find_spec(_MODULES[package])
    if spec is None or getattr(spec.loader, "is_csles", False):  # csle-cyborg under upstream's name (`upstream_name`)
        raise NotInstalledError("--cyborg upstream", _MODULES[package], _UPSTREAM_ADVICE)


def load_cyborg(package: Package) -> Cyborg:
    """Import a package, without what a game has no use for.

    Raises:
        UnknownNameError: There is no such package.
        NotInstalledError: It is not there.
    """
    require_cyborg(package)
    with placeholders(NOT_NEEDED):
        return _load_csle() if package == "csle" else _load_upstream()


def _load_csle() -> Cyborg:
    import csle_cyborg.agents
    import csle_cyborg.main
    import csle_cyborg.shared.actions

    return Cyborg(csle_cyborg.main.Main, csle_cyborg.agents, csle_cyborg.shared.actions, cyborg_scenario())


def _load_upstream() -> Cyborg:
    import CybORG
    import CybORG.Agents
    import CybORG.Shared.Actions

    scenario = Path(inspect.getfile(CybORG.CybORG)).parent / "Shared" / "Scenarios" / "Scenario2.yaml"
    return Cyborg(CybORG.CybORG, CybORG.Agents, CybORG.Shared.Actions, str(scenario))

"""The way that the research prototype collects an episode, as its description has it, for comparison.

A new CybORG environment per episode, behind the stock `ChallengeWrapper`; weights pickled into each task; the policy in
torch, a row at a time; compliance from `get_agent_state("True")` at each step; lists pickled back. One torch thread per
worker, which is kinder than its default.
"""

from __future__ import annotations

import os
import random
import time
from typing import Any

import numpy as np
import torch
from torch import nn

from pipeline.cage2.cyborg.env import load_cyborg
from pipeline.cage2.facts.compliance import compromised_types, judge
from pipeline.cage2.facts.names import Compromised
from pipeline.cage2.facts.order_names import ORDER_SIZE
from pipeline.cage2.facts.orders import ORDERS, one_hot
from pipeline.cage2.facts.spec import EPISODE_STEPS, HOST_NAMES, NUM_ACTIONS, OBSERVATION_SIZE


def initial_weights() -> dict[str, Any]:
    """Return the weights of a fresh policy and critic, by name, as the prototype sends them with every task."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return {name: {k: v.numpy() for k, v in net.state_dict().items()} for name, net in _networks().items()}


def collect_episode(
    weights: dict[str, Any], workflow_id: int, red_agent: str, environment_seed: int, actions_seed: int
) -> dict[str, list[Any]]:
    """Play one episode in an environment of its own; return lists, one entry per step."""
    torch.set_num_threads(1)
    networks = _networks()
    for name, network in networks.items():
        network.load_state_dict({k: torch.from_numpy(v) for k, v in weights[name].items()})
    env, cyborg = _new_environment(red_agent, environment_seed)
    generator = torch.Generator().manual_seed(actions_seed >> 1)
    order = tuple(ORDERS[workflow_id].tolist())
    order_code = one_hot(workflow_id)

    steps: dict[str, list[Any]] = {
        "states": [],
        "actions": [],
        "log_probs": [],
        "rewards": [],
        "values": [],
        "fixes": [],
    }
    observation, _ = env.reset()
    for _ in range(EPISODE_STEPS):
        state = torch.from_numpy(np.concatenate([observation, order_code]).astype(np.float32))
        with torch.no_grad():
            probabilities = torch.softmax(networks["actor"](state), dim=-1)
            action = int(torch.multinomial(probabilities, 1, generator=generator))
            value = float(networks["critic"](state))
        compromised = compromised_types(_red_hosts(cyborg), Compromised.SESSIONS)
        fix = judge(action, order, compromised)
        observation, reward, _, _, _ = env.step(action)
        steps["states"].append(state.tolist())
        steps["actions"].append(action)
        steps["log_probs"].append(float(probabilities[action].log()))
        steps["rewards"].append(float(reward))
        steps["values"].append(value)
        steps["fixes"].append(int(fix))
    return steps


def collect_timed(*arguments: Any) -> tuple[dict[str, list[Any]], float, int]:
    """Play one episode; return it, the seconds that it took, and this process's id."""
    begin_s = time.perf_counter()
    return collect_episode(*arguments), time.perf_counter() - begin_s, os.getpid()


def _networks() -> dict[str, nn.Module]:
    def mlp(num_outputs: int) -> nn.Module:
        sizes = (OBSERVATION_SIZE + ORDER_SIZE, 64, 64)
        return nn.Sequential(
            *(nn.Linear(sizes[0], 64), nn.Tanh(), nn.Linear(sizes[1], 64), nn.Tanh(), nn.Linear(sizes[2], num_outputs))
        )

    return {"actor": mlp(NUM_ACTIONS), "critic": mlp(1)}


def _new_environment(red_agent: str, seed: int) -> tuple[Any, Any]:
    cyborg = load_cyborg("csle")
    from csle_cyborg.agents.wrappers.challenge_wrapper import ChallengeWrapper  # importable once it is loaded

    random.seed(seed)
    main = cyborg.main(cyborg.scenario, "sim", agents={"Red": getattr(cyborg.agents, red_agent)})
    return ChallengeWrapper(env=main, agent_name="Blue"), main


def _red_hosts(cyborg: Any) -> int:
    """Read from the true state which hosts have a Red session, as bits."""
    true_state = cyborg.get_agent_state("True")
    return sum(
        1 << index
        for index, host in enumerate(HOST_NAMES)
        if any(session["Agent"] == "Red" for session in true_state[host].get("Sessions", ()))
    )

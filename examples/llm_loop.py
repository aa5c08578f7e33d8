"""A language model plays the game in words: a loop to start from.

python examples/llm_loop.py
python examples/llm_loop.py my_model:answer 5 42     # 5 episodes, hosts and subnets renamed by seed 42

`my_model.py` lies beside this file; its `answer(prompt)` calls whatever model you like.
"""

import importlib
import sys
from collections.abc import Callable

import gymnasium


def stub(prompt: str) -> str:
    """Answer as a very small model would: restore the first host that Red was seen to get into."""
    for row in prompt.splitlines():
        cells = row.split()
        if len(cells) == 5 and cells[3] in ("User", "Privileged"):
            return f"{cells[0]} looks bad.\nAction: Restore {cells[0]}"
    return "Sleep"


def play(ask: Callable[[str], str], seed: int, names_seed: int | None = None) -> float:
    """Play an episode, and return the sum of its rewards."""
    env = gymnasium.make("pipeline.cage2.gym:Cage2Text-v0", names_seed=names_seed)
    observation, info = env.reset(seed=seed)
    total, is_over = 0.0, False
    while not is_over:
        answer = ask(f"{info['rules']}\n\n{observation}")
        observation, reward, _, is_over, info = env.step(answer)
        total += float(reward)
    return total


if __name__ == "__main__":
    name, episodes, names = [*sys.argv[1:], *("", "5", "")[len(sys.argv) - 1 :]]
    module, _, function = name.partition(":")
    model = getattr(importlib.import_module(module), function) if name else stub
    for seed in range(int(episodes)):
        print(f"seed {seed}: {play(model, seed, int(names) if names else None):.1f}", flush=True)

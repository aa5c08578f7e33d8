"""A language model plays the game in words: a loop to start from.

python examples/llm_loop.py
python examples/llm_loop.py --ask my_model:answer --episodes 5 --names-seed 42     # hosts and subnets renamed

`my_model.py` lies in the folder that this is started in; its `answer(prompt)` calls whatever model you like.
"""

import argparse
import importlib
import sys
from collections.abc import Callable

import gymnasium


def stub(prompt: str) -> str:
    """Answer as a very small model would: restore the first host that Red seems to have got into."""
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ask", metavar="MODULE:FUNCTION", default="", help="[a stub]")
    parser.add_argument("--episodes", type=int, default=5)
    parser.add_argument("--names-seed", type=int)
    options = parser.parse_args()
    sys.path.insert(0, "")
    module, _, function = options.ask.partition(":")
    model = getattr(importlib.import_module(module), function) if module else stub
    for seed in range(options.episodes):
        print(f"seed {seed}: {play(model, seed, options.names_seed):.1f}", flush=True)

"""A defender that asks a language model: any function of text to text. It is shown Blue's table, as CybORG prints it.

python run.py evaluate examples/llm_agent.py:Agent --episodes 5
python run.py evaluate examples/llm_agent.py:Agent --agent-arg ask=my_model:answer --episodes 5 --step-timeout 300

`my_model.py` lies in the folder that this is started in; its `answer(prompt)` calls whatever model you like.
"""

import importlib
import re
from typing import Any

from pipeline.cage2.facts.spec import ACTION_NAMES

PROMPT = """You defend a network. The attacker starts on User0 and wants Op_Server0. This is what you know:
{table}
Your last action was {last}; {left} steps are left. Answer with one action: Sleep, Monitor, or Analyse, Remove or
Restore with the name of a host."""
ACTION = re.compile(r"\b(?:Sleep|Monitor|(?:Analyse|Remove|Restore) \w+)")


def stub(prompt: str) -> str:
    """Answer as a very small model would: restore the first host whose row says that somebody is on it."""
    for row in prompt.splitlines():
        cells = [cell.strip() for cell in row.split("|")]
        if len(cells) > 5 and cells[5] in ("Unknown", "User", "Privileged"):
            return f"{cells[3]} looks bad, so I would Restore {cells[3]}"
    return "All is quiet: Sleep"


class Agent:
    """Asks at each step, and does what the last action in the answer is; Sleep if there is none."""

    def __init__(self, ask: str = "") -> None:
        module, _, function = ask.partition(":")
        self.ask = getattr(importlib.import_module(module), function) if ask else stub

    def begin(self, num_steps: int) -> None:
        """Begin an episode."""
        self.left, self.last = num_steps, "none"

    def act(self, observation: Any, view: Any) -> int:
        """Return an action's id."""
        answer = self.ask(PROMPT.format(table=view.blue_table(), last=self.last, left=self.left))
        named = [name for name in ACTION.findall(answer) if name in ACTION_NAMES]
        self.left, self.last = self.left - 1, named[-1] if named else "Sleep"
        return ACTION_NAMES.index(self.last)

"""What CAGE-2 evaluates on: nine scenarios, three lengths of an episode against three Red agents."""

from __future__ import annotations

from itertools import product
from typing import Final

from pipeline.cage2.facts.spec import RED_AGENTS

LENGTHS: Final = (30, 50, 100)
"""Steps of an episode."""
SCENARIOS: Final = tuple((red_agent, num_steps) for num_steps, red_agent in product(LENGTHS, RED_AGENTS))
"""The nine, in the order of CAGE-2's script: who attacks, and how many steps."""

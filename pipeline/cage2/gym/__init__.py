"""`Cage2-v0` for gymnasium, and the same game in words, `Cage2Text-v0`: importing this package registers them.

```python
import gymnasium
import pipeline.cage2.gym  # or gymnasium.register_envs(pipeline.cage2.gym), after which linters see a use

gymnasium.make("Cage2-v0")
gymnasium.make("pipeline.cage2.gym:Cage2-v0")  # needs no import: good in worker processes and in configuration files
```

Light: what plays the game is imported when one is made.
"""

from __future__ import annotations

import gymnasium

from pipeline.cage2.facts.spec import EPISODE_STEPS

ENV_ID = "Cage2-v0"
TEXT_ENV_ID = "Cage2Text-v0"

gymnasium.register(
    id=ENV_ID,
    entry_point="pipeline.cage2.gym.env:Cage2GymEnv",
    vector_entry_point="pipeline.cage2.gym.vector:Cage2VectorEnv",
    max_episode_steps=EPISODE_STEPS,
)
gymnasium.register(id=TEXT_ENV_ID, entry_point="pipeline.cage2.text.env:Cage2TextEnv")

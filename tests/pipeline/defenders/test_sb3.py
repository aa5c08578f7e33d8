from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.defenders import sb3
from pipeline.defenders.errors import UnusableAgentError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("algorithm", sb3.PACKAGES)
def test_a_model_is_loaded_by_what_its_file_says(algorithm: str, saved: dict[str, Path]) -> None:
    assert sb3.algorithm_of(saved[algorithm]) == algorithm
    model = sb3.load(saved[algorithm], {})
    assert type(model).__name__ == algorithm
    action, _ = model.predict(np.zeros(52), deterministic=True)
    assert 0 <= int(action) < 145


def test_who_knows_better_may_say_so(saved: dict[str, Path]) -> None:
    assert type(sb3.load(saved["PPO"], {"algorithm": "PPO"})).__name__ == "PPO"
    with pytest.raises(UnusableAgentError, match="algorithm=SAC: choose of PPO, A2C"):
        sb3.load(saved["PPO"], {"algorithm": "SAC"})
    with pytest.raises(UnusableAgentError, match="--agent-arg device: a model takes no argument but algorithm"):
        sb3.load(saved["PPO"], {"device": "cuda"})


@pytest.mark.parametrize("data", [None, b"[]", b"{", b'{"policy_class": 3}', b'{"policy_class": {}}'])
def test_a_zip_file_of_something_else_is_refused(data: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "other.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme", "hello")
        if data is not None:
            archive.writestr("data", data)
    with pytest.raises(UnusableAgentError, match=r"is no model of|of which algorithm is it"):
        sb3.load(file, {})

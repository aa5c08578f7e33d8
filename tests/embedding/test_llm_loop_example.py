"""The loop in which a language model plays, with its stub, and with a function of one's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, str(ROOT / "examples" / "llm_loop.py")]


def played(*arguments: str, cwd: Path) -> list[str]:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=True, cwd=cwd)
    return done.stdout.splitlines()


def test_the_stub_plays_and_a_renaming_changes_no_score(tmp_path: Path) -> None:
    by_stub = played(cwd=tmp_path)
    assert [line.partition(":")[0] for line in by_stub] == [f"seed {seed}" for seed in range(5)]
    assert by_stub[:2] == played("--episodes", "2", "--names-seed", "42", cwd=tmp_path)


def test_a_function_of_one_s_own_is_asked(tmp_path: Path) -> None:
    model = "def answer(prompt):\n    assert prompt.startswith('You defend a computer network.')\n    return 'Sleep'\n"
    (tmp_path / "my_model.py").write_text(model)
    (line,) = played("--ask", "my_model:answer", "--episodes", "1", cwd=tmp_path)
    assert float(line.removeprefix("seed 0: ")) < -500

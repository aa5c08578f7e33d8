from __future__ import annotations

import pytest

from tests.docs.pages import Line, blocks_of, lines_of, mentions_in

PAGE = """\
Words, `run.py --help` and `bench/engine.py
--seconds 2`, `--seed` and `make`.

```sh title="on Tuesdays"
python run.py --workflow 'user -> defender' \\
    --seed 3 && echo done  # a comment

# nothing but a comment
```

```console
$ python run.py evaluate logs/tuesday
error: there is no run ... (see run.py --help)
$ ls
logs
```

```text
$ no command
```
"""


def test_lines_are_read_as_a_shell_reads_them() -> None:
    typed, shown, no_commands = blocks_of(PAGE)
    (line,) = lines_of(typed)
    assert line.words == ["python", "run.py", "--workflow", "user -> defender", "--seed", "3", "&&", "echo", "done"]
    assert (line.title, line.number) == ("on Tuesdays", 5)
    assert lines_of(shown) == [
        Line("python run.py evaluate logs/tuesday", "error: there is no run ", None, 12),
        Line("ls", "", None, 14),
    ]
    assert lines_of(no_commands) == []


def test_mentions_are_found_in_sentences_alone() -> None:
    assert mentions_in(PAGE) == [["run.py", "--help"], ["bench/engine.py", "--seconds", "2"], ["make"]]


@pytest.mark.parametrize(
    "page", ["```\npython run.py\n```", "```bash\nls\n```", "    $ python run.py", "    ray status"]
)
def test_a_command_that_would_be_overlooked_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        blocks_of(page)

"""Whatever is typed, or written into a configuration file: one line that says what is wrong, or a configuration.

Some 2,200 inputs, the same each time. `FUZZ_FACTOR=3 python -m pytest tests/fuzz --timeout 1800` tries three times as
many, new ones each time: with `test_run_files.py`, 13,000.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.command.cli import main
from pipeline.command.options import FIELDS
from pipeline.command.process import OK, USAGE
from pipeline.config import Config
from pipeline.persist.runs import RunFolder
from pipeline.values import what_results_depend_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipeline.run.pipeline import Pipeline

FACTOR = int(os.environ.get("FUZZ_FACTOR", "1"))


def fuzz(num_inputs: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=FACTOR * num_inputs,
        derandomize=FACTOR == 1,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


NAMES = tuple(Config.model_fields)
FLAGS = [f"--{name.replace('_', '-')}" for name in FIELDS]
WORDS = [
    *(
        "0",
        "1",
        "2",
        "-1",
        "+3",
        "007",
        "1e3",
        "1.0",
        "0.5",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "1_000",
        " 4 ",
        "٣",
        "0x10",
    ),
    *(
        "9" * 25,
        "9" * 5000,
        "true",
        "True",
        "false",
        "null",
        "None",
        "",
        " ",
        "\t",
        "[]",
        "{}",
        "'",
        '"',
        "`id`",
        "$HOME",
    ),
    *("fast", "cyborg", "B_lineAgent", "b_lineagent", "SleepAgent", "auto", "cpu", "cuda", "default", "prototype"),
    *(
        "sequential",
        "synchronous",
        "executor",
        "ray",
        "shm",
        "pickle",
        "local",
        "a.b:6379",
        "[::1]:1",
        ":",
        "a:99999999",
    ),
    *("tuesday", "../up", "/etc", "a/b", ".", "..", "-x", "~", "~/x", "~nobody-of-this-name/x", "a" * 300, "x/" * 3000),
    *("a\nb", "a\x1b[2Jb", "\u202e", "\u2028", "é", "💥", "\udcff", "\ud800", "%s%n", "=1+1", "[red]x[/]"),
]
TEXT = st.sampled_from(WORDS) | st.text(st.characters(exclude_characters="\0"), max_size=30)
OPTION = st.sampled_from([*FLAGS, *(flag.replace("--", "--no-") for flag in FLAGS), "--config", "--quiet", "--verbose"])
ARGUMENTS = st.lists(
    st.one_of(
        st.tuples(OPTION, TEXT),
        st.builds(lambda flag, value: (f"{flag}={value}",), OPTION, TEXT),
        st.tuples(OPTION | TEXT),
    ),
    max_size=4,
).map(lambda groups: [argument for group in groups for argument in group])
COMMAND = st.sampled_from([[], ["train"], ["doctor"], ["resume", "runs/run"], ["resume"], ["trayn"]])

VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=20),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where commands are given: with one run in it, and a file to write configurations to."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "runs").mkdir()
    RunFolder.create(Config(log_dir=folder / "runs", run_name="run", workers=2)).close()
    (folder / "my.toml").touch()
    return folder


@pytest.fixture
def command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Config | str | None]]:
    """Gives a command line, up to where a run would start; returns the run's configuration, the mistake, or neither."""
    configs: list[Config] = []

    def note(pipeline: Pipeline, _: Any) -> int:
        configs.append(pipeline.config)
        return OK

    def give(arguments: list[str]) -> Config | str | None:
        configs.clear()
        before = sorted(os.walk(folder))
        out, err = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main(arguments)
        except SystemExit as left:
            code = left.code
            assert out.getvalue().startswith("usage: ")  # --help
        assert sorted(os.walk(folder)) == before
        if code == OK:
            assert err.getvalue() == ""
            return configs[0] if configs else None
        assert code == USAGE
        assert (out.getvalue(), configs) == ("", [])
        told = err.getvalue()
        assert told.startswith("error: ")
        assert told.endswith("\n")
        assert told.removesuffix("\n").isprintable()  # so it is one line
        assert len(told) < 8000
        return told

    monkeypatch.chdir(folder)
    for starts_a_run in ("train", "resume"):
        monkeypatch.setattr(f"pipeline.command.{starts_a_run}.run_to_end", note)
    yield give
    (folder / "my.toml").write_bytes(b"")


def assert_sound(config: Config) -> None:
    """A configuration that was accepted can be written, read, and computed with."""
    written = json.dumps(config.model_dump(mode="json"), allow_nan=False)
    assert Config.model_validate(json.loads(written)) == config
    assert json.loads(json.dumps(what_results_depend_on(config))) == what_results_depend_on(config)
    assert 1 <= config.task_size <= config.num_slots
    assert config.num_players <= config.num_slots
    assert config.num_slabs >= 3
    assert config.log_dir.joinpath(config.run_name or "x").parent == config.log_dir


@fuzz(600)
@given(COMMAND, ARGUMENTS)
@example(["doctor"], ["--log-dir", "~nobody-of-this-name/x"])
@example([], ["--config", "a\nb"])
def test_any_command_line(command: Callable[..., Config | str | None], words: list[str], arguments: list[str]) -> None:
    outcome = command([*words, *arguments])
    if isinstance(outcome, Config):
        assert_sound(outcome)


SAMPLE = b"""\
# a run
workers = 3
total_episodes = 2_000
red_agent = "SleepAgent"
alignment_lambda = 1.5e1
warm_start = true
log_dir = 'there'
run_name = "tuesday"
policy_lag = 0
[ppo]
learning_rate = 5e-4
num_epochs = 3
"""
PIECES = [
    b"[",
    b"]",
    b"[[",
    b"{",
    b"}",
    b"=",
    b'"',
    b"'''",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"#",
    b".",
    b"nan",
    b"-",
    b"0x",
    b"1979-05-27",
]


def mutated(sample: bytes) -> st.SearchStrategy[bytes]:
    """A file with a few of its bytes changed, put in, taken out or repeated."""
    place = st.integers(0, len(sample))

    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        content = sample
        for start, length, put in edits:
            content = content[:start] + put + content[start + length :]
        return content

    put = (
        st.sampled_from(PIECES)
        | st.binary(max_size=4)
        | st.builds(lambda a, b: sample[min(a, b) : max(a, b)], place, place)
    )
    return st.lists(st.tuples(place, st.integers(0, 6), put), min_size=1, max_size=4).map(apply)


@fuzz(600)
@given(mutated(SAMPLE) | st.binary(max_size=60))
@example(b"workers = " + b"[" * 5000)
@example(b"ppo = 1")
@example(b"[ppo]\nlearning_rate = 1e-5")
@example(b"[ppo.ppo]\nx = 1")
@example(b"workers = " + b"{a=" * 5000)
@example(b"a" + b".a" * 5000 + b" = 1")
@example(b"log_dir = '~nobody-of-this-name'")
@example(b"log_dir = ''\nworkers = 0x1F")
def test_any_toml_file(command: Callable[..., Config | str | None], folder: Path, content: bytes) -> None:
    (folder / "my.toml").write_bytes(content)
    outcome = command(["--config", "my.toml"])
    if isinstance(outcome, Config):
        assert_sound(outcome)
    else:
        assert outcome is not None


RECORDED = json.dumps(Config(workers=2, run_name="run").model_dump(mode="json"), indent=2).encode() + b"\n"


@fuzz(500)
@given(
    mutated(RECORDED)
    | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), VALUE, max_size=5).map(
        lambda it: json.dumps(it).encode()
    )
)
@example(b"[" * 100_000)
@example(b'{"workers":' * 5000)
@example(b'{"log_dir": "~nobody-of-this-name"}')
@example(b'{"seed": 1e400}')
@example(b'{"workers": ' + b"9" * 5000 + b"}")
def test_any_configuration_of_a_run(command: Callable[..., Config | str | None], folder: Path, content: bytes) -> None:
    path = folder / "runs" / "run" / "config.json"
    whole = path.read_bytes()
    path.write_bytes(content)
    try:
        outcome = command(["resume", "runs/run"])
    finally:
        path.write_bytes(whole)
    if isinstance(outcome, Config):
        assert_sound(outcome)
    else:
        assert outcome is not None


@fuzz(500)
@given(st.dictionaries(st.sampled_from(NAMES), VALUE | st.binary(max_size=4) | st.dates(), max_size=4))
def test_any_values_by_which_a_program_may_ask(values: dict[str, Any]) -> None:
    """Those who embed get pydantic's own error, and nothing else."""
    try:
        config = Config.model_validate(values)
    except ValueError:
        return
    assert_sound(config)

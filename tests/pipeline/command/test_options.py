from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.command.options import (
    FIELDS,
    Parser,
    UsageError,
    add_options,
    as_arguments,
    given_options,
    make_config,
    unknown_argument,
)
from pipeline.config import Config
from pipeline.hyperparameters import Hyperparameters
from pipeline.marks import Topic
from pipeline.ppo.recipe import RecipeError
from pipeline.values import SPEED_FIELDS, topic_of

NAMES = tuple(FIELDS)
ANY_TEXT = st.text() | st.from_regex(r"-?[0-9]{1,25}(\.[0-9]+)?(e[0-9]+)?", fullmatch=True)
ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.binary() | st.dates(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=5,
)


def parser(names: tuple[str, ...] = NAMES) -> Parser:
    parser = Parser(prog="program")
    add_options(parser, names)
    return parser


def parsed(*arguments: str) -> dict[str, Any]:
    return given_options(parser().parse_args(arguments))


def config_or_mistake(options: dict[str, Any], file: Path | None = None) -> Config | str:
    try:
        return make_config(options, file)
    except (UsageError, RecipeError) as error:
        return str(error)


def mistake(options: dict[str, Any], file: Path | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        make_config(options, file)
    return str(caught.value)


def test_what_is_not_given_is_not_there() -> None:
    assert parsed() == {}
    assert make_config({}) == Config()


def test_every_value_has_an_option() -> None:
    values: dict[str, Any] = {
        "workers": 3,
        "total_episodes": 1000,
        "red_agent": "SleepAgent",
        "alignment_lambda": 2.5,
        "warm_start": True,
        "slots": 12,
        "log_dir": Path("a b"),
        "run_name": "tuesday",
        "device": "cpu",
        "seed": 2**63 - 1,
    }
    assert set(Config.model_fields) - set(NAMES) == {
        "ppo",
        "earlier_budgets",
        "init_sha256",
        "red_sha256",
    }
    for name in set(NAMES) & set(Config.model_fields):
        value = values.get(name, Config().model_dump()[name])
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            assert parsed(flag) == {name: True}
            assert parsed(flag.replace("--", "--no-")) == {name: False}
        elif isinstance(value, tuple):
            text = ",".join(map(str, value))
            assert parsed(flag, text) == {name: text}
            assert getattr(make_config(parsed(flag, text)), name) == value
        elif value is not None:
            assert parsed(flag, str(value)) == parsed(f"{flag}={value}") == {name: str(value)}
            extra = {"workers": 1} if name == "slots" else {}
            assert getattr(make_config({**extra, **parsed(flag, str(value))}), name) == value


def test_every_hyper_parameter_has_an_option() -> None:
    for name in Hyperparameters.model_fields:
        flag = f"--ppo.{name.replace('_', '-')}"
        assert parsed(flag, "1", "--seed", "3") == {"ppo": {name: "1"}, "seed": "3"}
    config = make_config(parsed("--ppo.learning-rate", "3e-4", "--ppo.num-epochs=2"))
    assert config.ppo == Hyperparameters(learning_rate=3e-4, num_epochs=2)


def test_help_names_every_option_with_its_default() -> None:
    text = " ".join(parser().format_help().split())
    for name in NAMES:
        assert f"--{name.replace('_', '-')}" in text
    assert "--ppo.learning-rate X Adam's, at the start of a policy's training. [0.001, prototype: 0.002]" in text
    assert "take it whole. [400, thorough: 800, prototype: the batch]" in text
    assert "A large one never stops. [0.02, prototype: none]" in text
    assert (
        "--red-agent NAME,... Who attacks: B_lineAgent, RedMeanderAgent, SleepAgent, or your own, module:Name" in text
    )
    assert "over all workflows. [100000]" in text
    assert "pickled. (speed only) [shm]" in text
    assert "whenever the run ends. (no effect on results) [30.0]" in text
    assert text.count("(speed only)") == len(SPEED_FIELDS)
    assert "how much it explores. [2.0]" in text
    assert "[off]" in text
    assert "--hidden-sizes N,N Units of the two" in text
    assert "as in 128,64. [64,64]" in text
    assert "None" not in text
    assert "==SUPPRESS==" not in text
    assert "`" not in text


def test_help_has_the_options_of_a_topic_together() -> None:
    text = parser().format_help()
    titles = [text.index(f"\n{topic.value}:\n") for topic in Topic]
    assert titles == sorted(titles)
    ends = [*titles[1:], len(text)]
    for name, field in Config.model_fields.items():
        topic = topic_of(name)
        where = text.rfind("--ppo.gamma" if name == "ppo" else f"\n  --{name.replace('_', '-')}")
        if topic is None:
            assert where == -1
            assert not field.get_default(call_default_factory=True)
        else:
            place = list(Topic).index(topic)
            assert titles[place] < where < ends[place]


def test_a_topic_without_options_is_not_there() -> None:
    some = Parser(prog="program")
    add_options(some, ("workers",))
    assert [topic for topic in Topic if f"{topic.value}:" in some.format_help()] == [Topic.WHERE]


def test_a_namespace_may_hold_more_than_the_configuration() -> None:
    namespace = argparse.Namespace(command="train", quiet=True, seed="3")
    assert given_options(namespace) == {"seed": "3"}


# --- a file ---


def test_options_override_the_file(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text('workers = 3\nred_agent = "SleepAgent"\nwarm_start = true\nlog_dir = "there"\ngp_beta = 1\n')
    config = make_config({"workers": "2"}, file)
    assert (config.workers, config.red_agent, config.warm_start) == (2, "SleepAgent", True)
    assert (config.log_dir, config.gp_beta) == (Path("there"), 1.0)


def test_options_override_the_file_in_its_table_too(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text('recipe = "thorough"\n[ppo]\nlearning_rate = 5e-4\nnum_epochs = 2\n')
    assert make_config({}, file).ppo == Hyperparameters(learning_rate=5e-4, num_epochs=2)
    given = parsed("--ppo.num-epochs", "3", "--ppo.gamma", "0.9")
    assert make_config(given, file).ppo == Hyperparameters(learning_rate=5e-4, num_epochs=3, gamma=0.9)
    assert mistake(parsed("--ppo.gamma", "2"), file) == "--ppo.gamma 2: must be less than or equal to 1"
    file.write_text("[ppo]\nlearning_rate = 2\n")
    assert mistake(given, file) == f"{file}: ppo.learning_rate 2: must be less than or equal to 1"
    file.write_text("ppo = 3")
    assert mistake(given, file) == f"{file}: ppo 3: must be a table, [ppo]"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[ppo]\nlr = 2", "my.toml: unknown key 'ppo.lr'"),
        ("[ppo]\nlearning_rat = 2", "my.toml: unknown key 'ppo.learning_rat'; did you mean 'ppo.learning_rate'?"),
        ("[ppo]\nnum_epochs = true", "my.toml: ppo.num_epochs = True: must be a whole number"),
        ("[ppo]\nnum_epochs = []", "my.toml: ppo.num_epochs []: must be a valid integer"),
        ("[[ppo]]\nnum_epochs = 2", "my.toml: ppo [{'num_epochs': 2}]: must be a table, [ppo]"),
        ("workerz = 2", "my.toml: unknown key 'workerz'; did you mean 'workers'?"),
        ("[workers]\nnumber = 2", "my.toml: workers {'number': 2}: must be a valid integer"),
        ("[train]\nworkers = 2", "my.toml: unknown table [train]: keys stand by themselves here, under no table"),
        ('workers = "x"', "my.toml: workers = 'x': must be a whole number, without quotes"),
        ('total_episodes = "100"', "my.toml: total_episodes = '100': must be a whole number, without quotes"),
        ("total_episodes = 100.0", "my.toml: total_episodes = 100.0: must be a whole number"),
        ('slots = "9"', "my.toml: slots = '9': must be a whole number, without quotes"),
        ('gp_beta = "1"', "my.toml: gp_beta = '1': must be a number, without quotes"),
        ('warm_start = "yes"', "my.toml: warm_start = 'yes': must be true or false, without quotes"),
        ("warm_start = 1", "my.toml: warm_start = 1: must be true or false"),
        ("gp_beta = true", "my.toml: gp_beta = True: must be a number"),
        ("workers = true", "my.toml: workers = True: must be a whole number"),
        ("run_name = 3", "my.toml: run_name 3: must be a valid string"),
        ("log_dir = 3", "my.toml: log_dir 3: "),
        ("workers = 2026-11-21", "my.toml: workers 2026-11-21: must be a valid integer"),
        ("gp_beta = nan", "my.toml: gp_beta nan: must be a finite number"),
        ("red_agent = 3", "my.toml: red_agent 3: must be a valid string"),
        ('log_dir = "a\\u0000b"', r"log_dir a\x00b: must be a path in UTF-8, without NUL"),
        ("workers = ", "--config my.toml: not valid TOML: Invalid value (at end of document)"),
        ("workers = 2\nworkers = 3", "not valid TOML: Cannot overwrite a value (at end of document)"),
        ("workers = 2\nslots = 1", "1 slots can't keep 2 workers busy: give at least 2, or leave --slots out"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_place(
    text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.toml").write_text(text)
    assert told in mistake({}, Path("my.toml"))


def test_a_wrong_option_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text("workers = 2\nslots = 9")
    assert mistake({"workers": "0"}, file) == "--workers 0: must be greater than or equal to 1"


def test_a_file_that_can_not_be_read(tmp_path: Path) -> None:
    assert mistake({}, tmp_path / "none.toml") == f"--config {tmp_path / 'none.toml'}: No such file or directory"
    assert mistake({}, tmp_path) == f"--config {tmp_path}: Is a directory"
    (tmp_path / "latin.toml").write_bytes('run_name = "é"'.encode("latin-1"))
    assert "not valid TOML: 'utf-8' codec can't decode" in mistake({}, tmp_path / "latin.toml")


@given(st.binary(max_size=200))
def test_any_file_gives_a_configuration_or_a_mistake(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(content)
    outcome = config_or_mistake({}, file)
    assert outcome == Config() if isinstance(outcome, Config) else outcome.startswith(("--config", str(file)))


# --- mistakes ---


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"workers": "0"}, "--workers 0: must be greater than or equal to 1"),
        ({"workers": "x"}, "--workers x: must be a valid integer"),
        ({"workers": "1.5"}, "--workers 1.5: must be a valid integer"),
        ({"workers": ""}, "--workers : must be a valid integer"),
        ({"seed": str(2**63)}, f"--seed {2**63}: must be less than {2**63}"),
        (
            {"red_agent": "Nobody"},
            "--red-agent Nobody: must be B_lineAgent, RedMeanderAgent, SleepAgent or Mixed, or your own, module:Name",
        ),
        ({"run_name": "a/b"}, "--run-name a/b: doesn't fit. Name of the run's folder: letters, digits, dot,"),
        ({"run_name": "../x"}, "--run-name ../x: doesn't fit."),
        ({"alignment_lambda": "much"}, "--alignment-lambda much: must be a valid number"),
        ({"red_agent": "a\nb\x1b[2J"}, r"--red-agent a\nb\x1b[2J: must be"),
        ({"red_agent": "N" * 1000}, f"--red-agent {'N' * 57}...: must be"),
        ({"workers": "9" * 5000}, f"--workers {'9' * 57}...: "),
        (
            {"hidden_sizes": "100,64"},
            "--hidden-sizes 100,64: must be two of 32, 64, 96 and so on to 1024, as in 128,64",
        ),
        ({"ppo": {"learning_rate": "0"}}, "--ppo.learning-rate 0: must be greater than 0"),
        ({"ppo": {"learning_rate": "fast"}}, "--ppo.learning-rate fast: must be a valid number"),
        ({"ppo": {"target_kl": "inf"}}, "--ppo.target-kl inf: must be a finite number"),
        ({"ppo": {"minibatch_size": "0"}}, "--ppo.minibatch-size 0: must be greater than or equal to 1"),
    ],
)
def test_a_mistake_is_told_with_the_option_and_what_fits(options: dict[str, Any], told: str) -> None:
    assert mistake(options).startswith(told)


def test_hyper_parameters_that_do_not_go_together_are_told() -> None:
    with pytest.raises(RecipeError, match="prototype has no use for"):
        make_config({"recipe": "prototype", "ppo": {"gae_lambda": "0.9"}})


@pytest.mark.parametrize(
    ("argument", "known", "told"),
    [
        ("--workerz", NAMES, "unknown option --workerz: did you mean --workers?"),
        ("--alignment=3", NAMES, "unknown option --alignment: did you mean --alignment-lambda?"),
        ("-w", NAMES, "unknown option -w: see run.py --help"),
        ("--learning-rate", NAMES, "unknown option --learning-rate: did you mean --ppo.learning-rate?"),
        ("--ppo.gamma=1", SPEED_FIELDS, "--ppo.gamma can't change when a run is resumed, only --workers, --collector,"),
        ("--seed=3", SPEED_FIELDS, "--seed can't change when a run is resumed, only --workers, --collector,"),
        ("--no-such", SPEED_FIELDS, "unknown option --no-such: see run.py --help"),
        ("x", NAMES, "unexpected argument 'x' (see run.py --help)"),
    ],
)
def test_an_argument_that_no_option_takes(argument: str, known: tuple[str, ...], told: str) -> None:
    assert str(unknown_argument(argument, known)).startswith(told)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--workers"], "argument --workers: expected one argument (see program --help)"),
        (["--worker", "3"], "unrecognized arguments: --worker 3 (see program --help)"),
        (["--no-workers"], "unrecognized arguments: --no-workers (see program --help)"),
    ],
)
def test_the_parser_raises_and_takes_no_abbreviation(arguments: list[str], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(*arguments)
    assert str(caught.value) == told


@given(st.dictionaries(st.sampled_from(tuple(Config.model_fields)), ANY_TEXT))
@example({"run_name": "\ud800"})
@example({"workers": "\x00", "log_dir": "\x00"})
@example({"log_dir": ""})
@example({"log_dir": "\udcff"})
def test_any_texts_give_a_configuration_or_a_mistake_in_one_line(options: dict[str, str]) -> None:
    outcome = config_or_mistake(options)
    assert isinstance(outcome, Config) or (outcome.isprintable() and len(outcome) < 300)


@given(st.dictionaries(st.sampled_from(tuple(Config.model_fields)), ANY_VALUE))
@example({"ppo": {"gamma": {}}})
def test_any_values_give_a_configuration_or_a_mistake_in_one_line(options: dict[str, Any]) -> None:
    outcome = config_or_mistake(options)
    assert isinstance(outcome, Config) or outcome.isprintable()


@given(st.lists(ANY_TEXT | st.sampled_from([f"--{name.replace('_', '-')}" for name in NAMES]), max_size=6))
def test_any_command_line_is_parsed_or_a_mistake(arguments: list[str]) -> None:
    arguments = [argument for argument in arguments if not argument.startswith("-h")]  # that asks for help
    try:
        options = parsed(*arguments)
    except UsageError:
        return
    assert options.keys() <= set(Config.model_fields)


def test_an_order_is_asked_for_by_name() -> None:
    parser = Parser()
    add_options(parser, ("workflow", "workers"))
    assert "--workflow ORDER" in parser.format_help()


def test_a_configuration_as_arguments_is_the_same_again() -> None:
    config = Config(
        total_episodes=99,
        red_agent="B_lineAgent,SleepAgent",
        hidden_sizes=(64, 96),
        alignment_lambda=1e-7,
        observation_memory=False,
        tensorboard=True,
        workflow="user -> defender -> enterprise -> op_server -> op_host",
        ppo=Hyperparameters(learning_rate=3e-4, num_epochs=2),
    )
    values = config.model_dump(mode="json", exclude_unset=True)
    assert make_config(parsed(*as_arguments(values))) == config

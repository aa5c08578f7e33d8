"""An agent made from its name, in the process that it plays in: its code is run here.

    module:Name, /path/file.py:Name   see `user_code`
    /path/model.zip                   a model of Stable-Baselines3, see `sb3`

`Name` is a class or a function that returns the agent, called with the user's arguments; an object that is an agent
already; or a function of one argument, which is the agent itself: it is called with each observation.
"""

from __future__ import annotations

import copy
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import user_code
from pipeline.cage2.cyborg import upstream_name
from pipeline.defenders import sb3
from pipeline.defenders.errors import AgentRaisedError, NoSuchAgentError, UnusableAgentError
from pipeline.errors import PipelineError, own_traceback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def load(target: str, arguments: Mapping[str, str], seed: Callable[[], None] = lambda: None) -> Any:
    """Return the agent that a name refers to, made anew.

    Args:
        target: See `AgentReference.target`.
        arguments: What its class or function is called with.
        seed: Seeds generators: called before its module is run, and again before the agent is made, since a generator
            of torch's isn't there before its module has been imported.

    Raises:
        NoSuchAgentError: There is no such module, or no such name in it.
        UnusableAgentError: It takes other arguments.
        AgentRaisedError: Its code raised.
    """
    try:
        seed()
        if target.endswith(".zip"):
            model = sb3.load(Path(target), arguments)
            seed()
            return model
        upstream_name.install()
        named = user_code.find(target).what
        seed()
        return _made(named, target, arguments)
    except user_code.CodeNotFoundError as error:
        raise NoSuchAgentError(str(error)) from None
    except PipelineError:
        raise
    except BaseException as error:  # noqa: BLE001  # sys.exit among them: the code isn't ours
        raise AgentRaisedError(target, own_traceback(error)) from None


def _made(named: Any, target: str, arguments: Mapping[str, str]) -> Any:
    if not isinstance(named, type) and not inspect.isroutine(named):
        if arguments:
            raise UnusableAgentError(f"{target} is an object already, and takes no --agent-arg")
        return copy.deepcopy(named)  # as it was when its module had been run
    try:
        signature = inspect.signature(named)
    except (TypeError, ValueError):  # one that isn't written in Python doesn't tell
        return named(**arguments)
    if inspect.isroutine(named) and _num_required(signature) == 1 and not arguments:
        return named
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise UnusableAgentError(
            f"{target} is made by {named.__name__}{signature}: {error}. Give it what it needs by --agent-arg NAME=VALUE"
        ) from None
    return named(**arguments)


def _num_required(signature: inspect.Signature) -> int:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in positional and each.default is each.empty for each in signature.parameters.values())

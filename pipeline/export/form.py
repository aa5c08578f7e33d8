"""What an exported agent consists of, by form: the text of `agent.py`, and its weights."""

from __future__ import annotations

import io
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, assert_never

import numpy as np

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.facts.order_names import NUM_HOST_TYPES
from pipeline.cage2.facts.orders import ORDERS
from pipeline.export import source
from pipeline.export.template import template
from pipeline.machine import package_version
from pipeline.policy.forward import MAX_MEMO
from pipeline.policy.params import PolicyShape

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from pipeline.evaluate.trained import Trained
    from pipeline.export.names import Form

    Arrays = Mapping[str, npt.NDArray[np.float32]]


_MEANINGS: Final = {
    **source.MEANINGS,
    "TRAINED_STEPS": "of an episode in training",
    "NUM_SEEN": "values that the policy sees",
    "HIDDEN_SIZES": "units of the hidden layers",
    "IS_SEEN": "whether it sees what is remembered",
    "IS_MERGED": "whether it chooses among the actions of MERGED, or among all",
    "CAUSE": "per choice: the place in what is seen without which it is useless; None: it needs none",
    "MAX_KNOWN": "distributions that are kept at a time",
    "NOTHING_YET": "in the place of an action's id: an episode begins",
    "SPENT": "per choice: the place in what is seen with which it is useless; None: there is none",
}


@dataclass(frozen=True, slots=True)
class Exported:
    """The files that make an agent, but for those that describe it."""

    files: Mapping[str, bytes]
    needs: str
    """What it needs beside Python, in words."""
    notes: str = ""
    """What README.md is to say of this form besides."""

    @property
    def weights(self) -> str:
        """The name of the file beside `agent.py`."""
        return next(name for name in self.files if name != "agent.py")


def exported(trained: Trained, form: Form, facts: Mapping[str, str]) -> Exported:
    """Return an agent that stands by itself.

    Args:
        trained: The policy.
        form: What it is to need.
        facts: What is known of it, for the metadata of a model that has some.

    Raises:
        NoSourceError: This installation has no source text.
    """
    text, weights = _text(trained, form).encode(), folded_weights(trained)
    match form:
        case "numpy":
            return Exported({"agent.py": text, "weights.npz": _npz(weights)}, "NumPy")
        case "torch":
            return Exported({"agent.py": text, "weights.pt": _state_dict(weights)}, "torch")
        case "onnx":
            from pipeline.export.onnx.model import policy_model  # needs an extra, as the notes do
            from pipeline.export.onnx.notes import notes

            interface = _interface(trained)
            model = policy_model(interface, weights, _version(), facts)
            described = notes(interface, trained.config.episode_steps)
            return Exported({"agent.py": text, "policy.onnx": model}, "onnxruntime and NumPy", described)
        case _:
            assert_never(form)


def folded_weights(trained: Trained) -> dict[str, npt.NDArray[np.float32]]:
    """Return the network's weights, `[out, in]`, by the names of the parameter table.

    Its order is one and the same at each step, so what that adds to the first layer is added to its bias.
    """
    shape = _shape(trained)
    views = {name: view.copy() for name, view in shape.actor.views(trained.weights).items()}
    first, bias = views["hidden_1.weight"], views["hidden_1.bias"]
    for position, host_type in enumerate(ORDERS[trained.workflow_id].tolist()):
        bias += first[:, shape.observation_size + NUM_HOST_TYPES * position + host_type]
    views["hidden_1.weight"] = np.ascontiguousarray(first[:, : shape.observation_size])
    return views


def _interface(trained: Trained) -> Interface:
    return Interface.of(trained.config)


def _shape(trained: Trained) -> PolicyShape:
    return PolicyShape.of(_interface(trained), trained.config.hidden_sizes)


def _version() -> str:
    return package_version("cage2-pipeline") or "(not installed)"


def _text(trained: Trained, form: Form) -> str:
    text = template(form).replace("@@SHARED@@", template("shared").rstrip())
    own = {name: value for name, value in _own_constants(trained).items() if name in text}
    player, rules = source.player(), source.rules()
    constants = {**own, **player.constants, **(rules.constants if "@@RULES@@" in text else {})}
    parts = {
        "VERSION": _version(),
        "CONSTANTS": source.written(constants, _MEANINGS),
        "FIELDS": textwrap.indent(source.remembered(), " " * 8),
        "RULES": rules.text,
        "PLAYER": player.text.rstrip(),
    }
    for gap, part in parts.items():
        text = text.replace(f"@@{gap}@@", part)
    return text


def _own_constants(trained: Trained) -> dict[str, Any]:
    config, shape = trained.config, _shape(trained)
    none = (None,) * shape.num_actions
    return {
        "TRAINED_STEPS": config.episode_steps,
        "NUM_SEEN": shape.observation_size,
        "HIDDEN_SIZES": shape.hidden_sizes,
        "IS_SEEN": config.observation_memory,
        "IS_MERGED": config.actions == "merged",
        "CAUSE": shape.mask.cause if shape.mask else none,
        "SPENT": shape.mask.spent if shape.mask else none,
        "MAX_KNOWN": MAX_MEMO,
        "NOTHING_YET": -1,
    }


def _npz(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **dict[str, Any](arrays))
    return buffer.getvalue()


def _state_dict(arrays: Arrays) -> bytes:
    import torch  # takes seconds, and the other forms have no use for it

    buffer = io.BytesIO()
    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, buffer)
    return buffer.getvalue()

"""How a policy's model is used by itself, for the README beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.export.onnx.graph import BATCH, IR_VERSION, OPSET
from pipeline.export.onnx.model import MEANINGS, returns, takes
from pipeline.export.template import template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.cage2.blue.interface import Interface


def notes(interface: Interface, num_steps: int) -> str:
    """Return a section of a README.

    Args:
        interface: What the policy sees and may do; what its model takes depends on that.
        num_steps: Of an episode in training.
    """
    given, returned = takes(interface), returns(interface)
    first = {
        "last_action": "np.full(num_games, -1)",
        "state": f"np.zeros((num_games, {given.get('state', (0,))[0]}), np.int64)",
        "num_steps": f"np.full(num_games, {num_steps})",
    }
    next_ = {"last_action": "action", "state": "next_state"}
    return template("model").format(
        inputs=_rows(given),
        outputs=_rows(returned),
        first="".join(f'told["{name}"] = {code}\n' for name, code in first.items() if name in given),
        returned=", ".join(returned),
        next="".join(f'    told["{name}"] = {code}\n' for name, code in next_.items() if name in given),
        num_steps=num_steps,
        opset=OPSET,
        ir_version=IR_VERSION,
        columns=", and names the columns of the state (`state`, a JSON list)" if "state" in given else "",
    )


def _rows(sizes: Mapping[str, tuple[int, ...]]) -> str:
    shapes = {name: ", ".join([BATCH, *map(str, each)]) for name, each in sizes.items()}
    return "\n".join(f"| `{name}` | `[{shape}]` | {MEANINGS[name]} |" for name, shape in shapes.items())

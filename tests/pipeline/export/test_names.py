from __future__ import annotations

import pytest

from pipeline.export import names
from pipeline.export.names import ExtraMissingError, require_extra


def test_a_form_is_asked_for_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    require_extra("onnx")
    monkeypatch.setattr(names, "find_spec", lambda name: None if name == "onnx" else name)
    require_extra("numpy")
    require_extra("torch")
    with pytest.raises(ExtraMissingError, match=r"^--format onnx needs the extra: pip install '\.\[onnx\]'$"):
        require_extra("onnx")

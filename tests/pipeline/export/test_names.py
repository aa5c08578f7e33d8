from __future__ import annotations

import sys

import pytest

from pipeline.export.names import require_packages
from pipeline.extras import NotInstalledError


def test_a_form_is_asked_for_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    require_packages("onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed
    monkeypatch.setitem(sys.modules, "torch", None)
    require_packages("numpy")
    with pytest.raises(NotInstalledError, match="--format onnx needs onnxruntime: pip install"):
        require_packages("onnx")
    with pytest.raises(NotInstalledError, match="--format torch needs torch: pip install"):
        require_packages("torch")

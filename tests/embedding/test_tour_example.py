"""The notebook of examples/, cell by cell in a real kernel."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

TOUR = Path(__file__).parents[2] / "examples" / "tour.ipynb"


def printed(cell: Any) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout")


@pytest.mark.timeout(400)  # it trains 2,000 episodes, a quarter of a minute on two free cores
def test_the_tour_leads_from_nothing_to_a_replay(tmp_path: Path) -> None:
    notebook = nbformat.read(shutil.copy(TOUR, tmp_path), as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # what is kept is what it does, not what it did
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    asleep, trained = (float(re.findall(r": (-\d+\.\d)", printed(cells[place]))[0]) for place in (0, 4))
    assert asleep < -500
    assert trained > -60
    assert "What Blue sees" in printed(cells[1])
    assert printed(cells[5]).endswith("the same, to the bit\n")
    assert any("B_lineAgent" in output.data["text/plain"] for output in cells[6].outputs if "data" in output)  # by rich
    assert re.fullmatch(r"-\d+\.\d ± \d\.\d points, the worst -\d+\.\d\n", printed(cells[7]))
    (page,) = (tmp_path / "logs").glob("*/worst.html")
    assert page.stat().st_size > 50_000
    (last,) = cells[9].outputs
    assert f'src="{page.relative_to(tmp_path)}"' in last.data["text/html"]

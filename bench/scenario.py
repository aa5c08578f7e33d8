"""Compares the project's scenario with the challenge's own files, field by field.

    python bench/scenario.py cage-challenge-2/CybORG/CybORG/Shared/Scenarios

What is compared is what CybORG reads (`parts.published.fields`). Each difference is listed with the reason why it can't
matter; one that has none is a fault. `tests/fidelity` plays on a scenario in which all that has a reason is otherwise,
and checks that the rest of the project's scenario is still what was compared, by its digest.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from parts.published import differences, digest, fields, read_scenario

from pipeline.cage2.cyborg.scenario import cyborg_scenario

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parts.published import Difference


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, report, and return 1 if there was a difference that may matter."""
    parser = argparse.ArgumentParser(description="Compares the project's scenario with the challenge's own files.")
    parser.add_argument("folder", type=Path, help="where Scenario2.yaml and images/ are")
    parser.add_argument("--all", action="store_true", help="list every difference, and not one for each reason")
    options = parser.parse_args(arguments)
    ours, theirs = cyborg_scenario(), read_scenario(options.folder)
    by_reason: dict[str | None, list[Difference]] = defaultdict(list)
    for difference in differences(ours, theirs):
        by_reason[difference.reason].append(difference)
    for reason, found in by_reason.items():
        print(f"{len(found):4} {'MAY MATTER' if reason is None else reason}")
        for path, mine, yours, _ in found if options.all or reason is None else found[:1]:
            print(f"       {path}: ours {mine!r}, theirs {yours!r}")
    print(f"{len(fields(ours) | fields(theirs)):,} fields; digests of what matters: {digest(ours)}, {digest(theirs)}")
    return 1 if None in by_reason else 0


if __name__ == "__main__":
    sys.exit(main())

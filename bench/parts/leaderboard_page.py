"""The table of defenders as Markdown, made from its JSON alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parts.entrants import FORMS, PROFILES, SB3
from parts.standings import over_episodes, standings, winner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from parts.standings import Interval, Standing
    from pipeline.cage2.facts.names import Profile

GAMES: Final = {
    "head": "CybORG's main branch, the game as cage-challenge-2 and {cyborg} play it today",
    "leaderboard": "the contest's final day (cage-challenge-2, commit 606813b): what the contest's leaderboard was "
    "measured on",
}
ABOUT: Final = {
    "sleep": "does nothing",
    "random": "takes each of the 145 actions alike",
    "restore": "restores the first host whose state in the table isn't clean",
    "BlueReactRestore": "the contest's own: goes round the hosts blindly",
    "BlueReactRemove": "the same with Remove",
    "Sleep": "the contest's own",
    "Random": "the contest's own, which draws from the game's generator",
    SB3: "Stable-Baselines3's PPO, the example as it is: 52 values, 145 actions, against `B_lineAgent` alone",
    "plain": "sees the table's 52 values and chooses from all 145 actions",
    "merged": "sees the 52 values, chooses from the merged actions",
    "memory": "sees what Blue may remember, too, and chooses from all 145 actions",
    "best": "memory and merged actions: the README's best command",
}


def page(table: dict[str, Any]) -> str:
    """Return the page.

    Args:
        table: The JSON of `leaderboard.py`.
    """
    parts = [
        _opening(table),
        *(_game(table, profile) for profile in PROFILES),
        _elsewhere(table),
        _by_seed(table),
        _who(table),
        _commands(table),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _opening(table: dict[str, Any]) -> str:
    cyborg = table["results"][0]["game"]["cyborg"]
    commits = " and ".join(dict.fromkeys(str(result["commit"]) for result in table["results"]))
    games = "\n".join(f"- **`{name}`**: {GAMES[name].format(cyborg=cyborg)}." for name in PROFILES)
    missing = f"\n\n**Missing**, not trained or not played: {_missing(table)}." if table["missing"] else ""
    return f"""\
# Leaderboard

There are two games, and a score of one says nothing about the other ([fidelity.md](fidelity.md#two-profiles)):

{games}

{_level(table)}

Made by `python bench/leaderboard.py`, this page from [leaderboard.json](leaderboard.json) alone;
cage2-pipeline {table["version"]}, commit {commits}.
Nine scenarios, {table["episodes"]:,} episodes each, raw environment reward in points; *total* is the nine means' sum.
A trained defender takes its likeliest action each time, and is played on both games, whichever it was trained on.
**±** is half an interval of 95 %: where there are several seeds over these, by Student's t; else over the episodes of
the one that was played, which doesn't say what another seed would come to. *Published* rows are others' figures, copied
from their sources and not played here, with an interval where one is told.{missing}"""


def _missing(table: dict[str, Any]) -> str:
    seeds: dict[str, list[str]] = {}
    for name in table["missing"]:
        who, _, seed = name.partition(", seed ")
        seeds.setdefault(who, []).append(seed)
    return "; ".join(f"{who}, seed {' and '.join(each)}" if any(each) else who for who, each in seeds.items())


def _level(table: dict[str, Any]) -> str:
    """Return what may be said of the contest's winner."""
    first = winner(table)
    level, better = [], []
    for row in standings(table, "leaderboard"):
        if row.published is None and row.total.mean >= first.low:
            is_better = row.low > first.high and len(row.seeds) > 1
            (better if is_better else level).append(f"{_named(row)} ({_shown(row.total)})")
    said = "; ".join(f"{what}: {', '.join(rows) or 'none'}" for what, rows in (("better", better), ("level", level)))
    on_head = next(row.total.mean for row in standings(table, "head") if row.published)
    return f"""\
*Level with the contest's winner* may be said of a row of `leaderboard` alone, whose total reaches the interval of the
winner's, {_shown(first.total)}; *better* of one with several seeds, whose interval over these lies above that one.
Of what was played here that is: {said}.
On `head` neither may be said: the winner was never trained for it, and the {on_head:.1f} that its agent is reported to
come to there shows how much the games differ."""


def _game(table: dict[str, Any], profile: Profile) -> str:
    rows = [
        (
            _name(row),
            row.trained_on or "",
            _seeds(row),
            *map(_shown, row.cells[0::3] + row.cells[1::3] + row.cells[2::3]),
            f"**{_shown(row.total)}**",
        )
        for row in standings(table, profile)
    ]
    heads = [f"{red} {steps}" for red in ("B_line", "Meander", "Sleep") for steps in (30, 50, 100)]
    return f"## `{profile}`\n\n{_markdown(('defender', 'trained on', 'seeds', *heads, 'total'), rows, num_text=3)}"


def _elsewhere(table: dict[str, Any]) -> str:
    scores = [score for score in table["published"] if score["game"] is None]
    told = "; ".join(f"{score['name']}, {score['total']:.1f} in all ({score['note']})" for score in scores)
    return f"Published, but on a game that is neither of the two for certain: {told}." if scores else ""


def _by_seed(table: dict[str, Any]) -> str:
    rows = [
        (
            f"`{result['row']}`",
            result["trained_on"],
            str(result["seed"]),
            result["game"]["profile"],
            _shown(over_episodes(result["total_score"])),
        )
        for result in table["results"]
        if result["row"] in FORMS
    ]
    if not rows:
        return ""
    heads = ("defender", "trained on", "seed", "played on", "total")
    return f"## Seed by seed\n\nTotals; ± over the episodes.\n\n{_markdown(heads, rows, num_text=4)}"


def _who(table: dict[str, Any]) -> str:
    names = dict.fromkeys(result["row"] for result in table["results"])
    lines = [f"- `{name}`: {ABOUT[name]}." for name in names]
    more = "The contest's own are told apart from this project's in [evaluation.md](evaluation.md#baselines)."
    trained = "What each of the trained was trained with, and for how long, is in its command below."
    return "\n".join(("## Who they are", "", *lines, "", more, trained, "", "Published:", "", *_sources(table)))


def _sources(table: dict[str, Any]) -> Iterator[str]:
    by_source: dict[str, list[str]] = {}
    for score in table["published"]:
        notes = (f"rank {score['rank']}" if score["rank"] else None, score["note"])
        told = ", ".join(filter(None, notes))
        by_source.setdefault(score["source"], []).append(f"{score['name']} ({told})")
    for source, names in by_source.items():
        yield f"- <{source}>: {'; '.join(names)}."


def _commands(table: dict[str, Any]) -> str:
    lines: dict[str, None] = {}
    for result in table["results"]:
        if result["train"]:
            lines[result["train"]] = None
        lines[result["evaluate"]] = None
    listing = "\n".join(lines)
    return f"""\
## How each was made

`RUNS` is the folder of `--runs`. With the same version the same commands give the same numbers, to the bit; but for
`{SB3}`, whose training is torch's.

```sh title="takes three minutes for each training"
{listing}
```"""


def _name(row: Standing) -> str:
    return f"*published:* {row.name}" if row.published else f"`{row.name}`"


def _named(row: Standing) -> str:
    seeds = f", {len(row.seeds)} seeds" if len(row.seeds) > 1 else ", one seed" if row.seeds else ""
    return _name(row) + (f" trained on `{row.trained_on}`{seeds}" if row.trained_on else "")


def _seeds(row: Standing) -> str:
    return ", ".join(map(str, row.seeds))


def _shown(value: Interval) -> str:
    if value.mean == 0 and not value.half_width:
        return "0"
    return f"{value.mean:z.2f}" + ("" if value.half_width is None else f" ± {value.half_width:.2f}")


def _markdown(heads: Sequence[str], rows: Iterable[Sequence[str]], num_text: int) -> str:
    """Return a table whose first columns are text, and the others numbers."""
    rule = ["---"] * num_text + ["---:"] * (len(heads) - num_text)
    return "\n".join(_lines([heads, rule, *rows]))


def _lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in rows:
        yield f"| {' | '.join(row)} |"

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING

from pipeline.replay.page import MODULES, data, page, script, style

if TYPE_CHECKING:
    from pipeline.replay.played import Played

STATIC = files("pipeline.replay") / "static"
HOSTILE = "</script><script>alert(1)</script><!--"


def test_the_page_stands_by_itself(played: Played) -> None:
    text = page(played.replay())
    assert not re.search(r"(src|href)=\"(?!data:)", text.partition('type="application/json"')[0])
    assert not re.search(r"\b(import|export) ", script())
    assert set(re.findall(r"https?://[^\"'\s]*", script() + style())) == {"http://www.w3.org/2000/svg"}


def test_its_policy_names_its_own_script_and_style_and_no_other(played: Played) -> None:
    text = page(played.replay())
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    for tag, kind in (('<script type="module">', "script"), ("<style>", "style")):
        content = text.partition(tag)[2].partition(f"</{kind}>")[0]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy[1]
    assert policy[1].startswith("default-src 'none'; ")
    assert "unsafe" not in policy[1]


def test_what_an_episode_says_ends_no_script(played: Played) -> None:
    replay = replace(played.replay(), red_agent=HOSTILE, agent={"name": HOSTILE})
    assert "<" not in data(replay)
    assert json.loads(data(replay))["red_agent"] == HOSTILE
    assert page(replay).count("<script") == page(played.replay()).count("<script")


def test_the_same_gives_the_same_bytes(played: Played) -> None:
    assert page(played.replay()) == page(played.replay())


def test_all_modules_are_in_it_each_after_those_that_it_imports() -> None:
    assert sorted(MODULES) == sorted(file.name for file in STATIC.iterdir() if file.name.endswith(".js"))
    for place, name in enumerate(MODULES):
        imported = re.findall(r"from \"\./([a-z]+\.js)\"", (STATIC / name).read_text())
        assert set(imported) <= set(MODULES[:place])


def test_names_at_the_top_of_modules_are_given_once() -> None:
    names = re.findall(r"^(?:async )?(?:function|class|const) (\w+)", script(), re.MULTILINE)
    assert len(names) == len(set(names))
    assert "mount" in names


def test_text_is_never_taken_for_markup() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(", script())

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.markup import Markup, h, join, table

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


class Read(HTMLParser):
    """What a browser makes of it."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: dict[str, str | None] = {}
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= dict(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(text=TEXT, value=TEXT)
def test_whatever_is_put_into_an_element_is_text(text: str, value: str) -> None:
    read = Read(h("p", text, title=value))
    assert (read.tags, read.text, read.attributes) == (["p"], text, {"title": value})


def test_elements_are_put_in_as_they_are_and_what_is_none_is_left_out() -> None:
    made = h("p", h("b", "<"), None, 1, " ", 2.5, class_="a", aria_label=None)
    assert made == '<p class="a"><b>&lt;</b>1 2.5</p>'
    assert join("<", Markup("<br>")) == "&lt;<br>"
    assert h("line", x1=1, stroke_width=2) == '<line x1="1" stroke-width="2"/>'


def test_a_tables_first_column_names_its_rows() -> None:
    made = table(["run", "score"], [["a", 1], ["b", "<2"]], "Scores")
    assert made.count('<th scope="row">') == made.count("<td>") == 2
    assert "<caption>Scores</caption>" in made
    assert "&lt;2" in made

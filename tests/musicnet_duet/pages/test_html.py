"""Pages read by Python's own HTML parser: what goes in as text comes out as text."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicnet_duet.pages.html import Cell, Markup, element, number, page, picture, section, table

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"))
HOSTILE = """<script>alert("1")</script> & 'x' &lt; </td>"""


class Read(HTMLParser):
    """The elements with their attributes, and all text of a page, as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@given(text=TEXTS, value=TEXTS)
def test_texts_and_attributes_come_out_as_they_went_in(text: str, value: str) -> None:
    read = Read(element("p", text, element("b", text), title=value))
    assert read.elements == [("p", {"title": value}), ("b", {})]
    assert read.text == text * 2


@pytest.mark.parametrize(
    "made",
    [
        table(HOSTILE, [HOSTILE], [[HOSTILE]]),
        section(HOSTILE, HOSTILE),
        picture(b"", HOSTILE, HOSTILE),
        page(HOSTILE, HOSTILE).decode(),
    ],
)
def test_no_text_becomes_an_element(made: str) -> None:
    read = Read(made)
    assert not read.all("script")
    assert HOSTILE in read.text


def test_a_page_can_fetch_nothing() -> None:
    read = Read(page("title", element("p", "x")).decode())
    (policy,) = [each for each in read.all("meta") if "http-equiv" in each]
    assert str(policy["content"]).startswith("default-src 'none'; ")
    assert [tag for tag, _ in read.elements if tag in ("link", "script", "iframe")] == []


def test_numbers_are_on_the_right_and_names_are_headers() -> None:
    rows: list[list[Cell]] = [["train", 12_345, number(1.25, 1), "x"], ["test", 7, "unknown", "y"]]
    read = Read(table("Sizes", ["split", "windows", "hours (h)", "note"], rows))
    assert [each.get("class") for each in read.all("td")] == [
        "number", "number", None, "number", None, None]  # fmt: skip
    heads = read.all("th")
    assert [each["scope"] for each in heads] == [*["col"] * 4, "row", "row"]
    assert [each.get("class") for each in heads] == [None, "number", None, None, None, None]
    assert "12,345" in read.text
    assert "1.2" in read.text
    assert len(read.all("caption")) == 1


def test_a_table_without_rows_has_its_header() -> None:
    assert len(Read(table("None", ["a", "b"], [])).all("th")) == 2


def test_a_picture_says_what_it_shows() -> None:
    (image,) = Read(picture(b"\x89PNG", "a roll")).all("img")
    assert image == {"src": "data:image/png;base64,iVBORw==", "alt": "a roll"}


def test_markup_is_kept_as_it_is() -> None:
    assert element("p", Markup("<b>x</b>"), "<") == "<p><b>x</b>&lt;</p>"

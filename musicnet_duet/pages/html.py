"""HTML from plain values: every text is escaped, unless it was made here."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

from musicnet_duet.pages.style import STYLE

_EMPTY = frozenset({"img", "meta"})
"""Elements without content, which have no end tag."""


class Markup(str):
    """A text that is HTML already."""


class Number(str):
    """A number as it is shown; tables align it to the right."""


Cell = str | int
"""What a table shows; an integer gets commas between thousands."""


def element(tag: str, *content: str, **attributes: str | bool) -> Markup:
    """An element with its content, one part after the other.

    A trailing underscore of an attribute's name is left out, the others become hyphens; True gives
    an attribute without a value.

    Examples:
        >>> element("p", "a < b", element("br_", "x"), class_="note")
        '<p class="note">a &lt; b<br_>x</br_></p>'
    """
    given = "".join(
        f" {_name(name)}" + ("" if value is True else f'="{html.escape(str(value))}"')
        for name, value in attributes.items()
        if value is not False
    )
    if tag in _EMPTY:
        return Markup(f"<{tag}{given}>")
    inner = "".join(each if isinstance(each, Markup) else html.escape(each) for each in content)
    return Markup(f"<{tag}{given}>{inner}</{tag}>")


def number(value: float, digits: int = 0) -> Number:
    """A number with commas between thousands and some digits after the point."""
    return Number(f"{value:,.{digits}f}")


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Markup:
    """A table whose first column names its rows; numbers are aligned to the right.

    A column that is numbers throughout has its header on the right as well. On a narrow screen the
    table scrolls by itself.
    """
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    heads = [
        element("th", name, scope="col", class_="number" if _numeric(column) else False)
        for name, column in zip(header, columns, strict=True)
    ]
    body = [
        element("tr", element("th", _shown(first), scope="row"), *map(_cell, others))
        for first, *others in rows
    ]
    whole = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *heads)),
        element("tbody", *body),
    )
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def picture(data: bytes, alt: str, caption: str = "") -> Markup:
    """A figure of a PNG, with what it shows for those who cannot see it."""
    image = element("img", src=data_url(data, "image/png"), alt=alt)
    scrolling = element("div", image, class_="scroll", tabindex="0")
    return element("figure", scrolling, *([element("figcaption", caption)] if caption else []))


def section(title: str, *content: str) -> Markup:
    """A part of a page, under a heading."""
    return element("section", element("h2", title), *content)


def page(title: str, *content: str) -> bytes:
    """A whole page in UTF-8. It fetches nothing: its policy forbids all but inline data."""
    policy = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(STYLE)),
    )
    body = element("body", element("main", element("h1", title), *content))
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n".encode()


def data_url(data: bytes, kind: str) -> str:
    """Bytes of a media type as a URL, as RFC 2397 has it."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _name(attribute: str) -> str:
    return attribute.rstrip("_").replace("_", "-")


def _shown(value: Cell) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def _cell(value: Cell) -> Markup:
    return element("td", _shown(value), class_="number" if _is_number(value) else False)


def _is_number(value: Cell) -> bool:
    return isinstance(value, int | Number)


def _numeric(column: Sequence[Cell]) -> bool:
    return bool(column) and all(map(_is_number, column))

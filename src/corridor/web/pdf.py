"""A document as PDF: headings, paragraphs, lists, tables and pictures in, a file with text that can be searched out.

Typst sets it, from one file of this package and data: no network, no browser, no library of the system. Letters come
from the typefaces of the system, of the folder that the settings name, and of Typst itself, which brings Latin, Greek
and Cyrillic ones.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from django.conf import settings
from django.http import HttpResponse

from corridor.base.errors import WrongUsage
from corridor.web.cells import plain_text
from corridor.web.chart_theme import COLOURS, FONTS
from corridor.web.exports import attachment
from corridor.web.tables import Table

if TYPE_CHECKING:
    import typst

__all__ = [
    "Heading",
    "Paragraph",
    "Part",
    "Picture",
    "Points",
    "TypefaceMissing",
    "pdf_response",
    "to_pdf",
    "typefaces",
]

_LAYOUT = Path(__file__).with_name("document.typ")
_SETTERS_OWN = "Libertinus Serif"
"""Comes with Typst; writes Latin, Greek and Cyrillic where the machine has nothing better."""
_LEADING = {"ur": 1.0}
"""Space between lines, in widths of an M; Arabic letters reach further up and down."""
_SCRIPTS: tuple[tuple[str, tuple[tuple[int, int], ...], str], ...] = (
    (
        "Chinese",
        ((0x2E80, 0x303F), (0x3400, 0x9FFF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF)),
        "zh-hans",
    ),
    ("Arabic", ((0x0600, 0x06FF), (0x0750, 0x077F), (0x08A0, 0x08FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFE)), "ur"),
)
"""Scripts that Typst's own typefaces lack, by ranges of code points, and the language whose typefaces write them."""


class TypefaceMissing(WrongUsage):
    """No typeface of this machine has the letters of the document."""

    code: ClassVar[str] = "typeface-missing"


@dataclass(frozen=True)
class Heading:
    """The title of a part."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph: ``plain``, ``strong``, ``quiet`` or a ``notice``."""

    text: str
    tone: Literal["plain", "strong", "quiet", "notice"] = "plain"


@dataclass(frozen=True)
class Points:
    """A list of short texts."""

    texts: Sequence[str]


@dataclass(frozen=True)
class Picture:
    """A picture as SVG, with its title, what it shows in words, and a line under it."""

    svg: bytes
    description: str
    title: str = ""
    note: str = ""


Part: TypeAlias = Heading | Paragraph | Points | Picture | Table


def to_pdf(
    parts: Iterable[Part], *, title: str, foot: str, language: str, made_at: datetime, watermark: str = ""
) -> bytes:
    """Return a document as PDF on A4.

    Parameters
    ----------
    parts : iterable of Part
        From top to bottom; texts in the language of the document. What has another direction stands between isolates.
    title : str
    foot : str
        Stands at the foot of every page, beside the number of the page.
    language : str
        Decides the direction of writing, the typefaces and how numbers are written.
    made_at : datetime, aware
        The same parts at the same moment give the same bytes on the same machine.
    watermark : str
        Word across every page, for simulated figures; empty for none.

    Raises
    ------
    TypefaceMissing
        If no typeface here has the letters of the document.
    """
    import typst

    described = [_described(part) for part in parts]
    said: dict[str, Any] = {
        "title": title,
        "foot": foot,
        "watermark": watermark,
        "language": language.partition("-")[0],
        "region": "CN" if language.startswith("zh") else None,
        "leading": _LEADING.get(language, 0.65),
        "colours": COLOURS["light"],
        "parts": described,
    }
    written = json.dumps(said, ensure_ascii=False)
    said["fonts"] = typefaces(written, language=language, available=_installed().families())
    pdf: bytes = typst.compile(
        _LAYOUT.read_bytes(),
        format="pdf",
        font_paths=_installed(),
        sys_inputs={"said": json.dumps(said, ensure_ascii=False)},
        timestamp=made_at.replace(microsecond=0),
    )
    return pdf


def typefaces(text: str, *, language: str, available: Collection[str]) -> list[str]:
    """Return the typefaces for a text, first the language's own, then those of other scripts that it quotes.

    Parameters
    ----------
    text : str
    language : str
    available : names of the typefaces that are there

    Raises
    ------
    TypefaceMissing
        If the text has Chinese or Arabic letters and no typeface that is known to have them is there.
    """
    chosen = [name for name in _named(language) if name in available]
    for script, ranges, writer in _SCRIPTS:
        if not any(first <= ord(letter) <= last for letter in set(text) for first, last in ranges):
            continue
        writers = [name for name in _named(writer)[1:] if name in available]
        if not writers:
            wanted = ", ".join(_named(writer)[1:])
            raise TypefaceMissing(
                f"expected a typeface with {script} letters for this document, found none. Install one of: {wanted};"
                " or put its file into the folder that the setting `fonts` names."
            )
        chosen += writers
    return [*dict.fromkeys(chosen), _SETTERS_OWN]


def pdf_response(pdf: bytes, *, name: str) -> HttpResponse:
    """Return a document as a download under a safe file name, which is given without ending."""
    return attachment(pdf, name=name, ending="pdf", media_type="application/pdf")


def _named(language: str) -> list[str]:
    """Return the typefaces that charts ask for in a language, without the generic ones."""
    names = [name.strip() for name in FONTS.get(language, FONTS["en"]).split(",")]
    return [name for name in names if name not in ("system-ui", "sans-serif")]


def _described(part: Part) -> dict[str, Any]:
    if isinstance(part, Heading):
        return {"kind": "heading", "text": part.text}
    if isinstance(part, Paragraph):
        return {"kind": "paragraph", "text": part.text, "tone": part.tone}
    if isinstance(part, Points):
        return {"kind": "points", "texts": list(part.texts)}
    if isinstance(part, Picture):
        picture = {"title": part.title, "note": part.note, "description": part.description}
        return {"kind": "picture", "svg": part.svg.decode(), **picture}
    return {
        "kind": "table",
        "caption": "" if part.quiet_caption else part.caption,
        "columns": [{"label": str(column.label), "numeric": column.numeric} for column in part.columns],
        "rows": [[plain_text(column, cell) for column, cell in row] for row in part.cells()],
    }


@functools.cache
def _installed() -> typst.Fonts:
    """Return the typefaces of the system, of the folder that the settings name, and of Typst itself."""
    import typst

    folder = getattr(settings, "CORRIDOR_FONTS", None)
    return typst.Fonts(font_paths=[str(folder)] if folder is not None and Path(folder).is_dir() else [])

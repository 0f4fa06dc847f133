"""Documents as PDF: text that can be searched out, in every language of the pages, from typefaces that are there."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from typing import Literal

import pytest
import typst
from django.utils import translation
from pypdf import PdfReader

from corridor.web.pdf import Heading, Paragraph, Part, Picture, Points, TypefaceMissing, pdf_response, to_pdf, typefaces
from corridor.web.tables import Cell, Column, Table

NOW = datetime(2026, 11, 16, 6, tzinfo=UTC)
OWN = "Libertinus Serif"
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="300" height="60" viewBox="0 0 300 60">'
    b'<rect width="300" height="60" fill="#eee"/><text x="20" y="40" font-family="sans-serif">Drawn</text></svg>'
)
WORDS = {"en": "Hazard ratio", "ru": "Отношение рисков", "zh-hans": "风险比", "ur": "خطرے کی نسبت"}
TONES: tuple[Literal["strong", "quiet", "notice"], ...] = ("strong", "quiet", "notice")
INSTALLED = frozenset(typst.Fonts().families())


def made(*parts: Part, language: str = "en", title: str = "A study", watermark: str = "") -> PdfReader:
    with translation.override(language):
        pdf = to_pdf(parts, title=title, foot="foot", language=language, made_at=NOW, watermark=watermark)
    assert pdf.startswith(b"%PDF")
    return PdfReader(BytesIO(pdf))


def text_of(document: PdfReader) -> str:
    return "\n".join(page.extract_text() for page in document.pages)


def test_headings_paragraphs_lists_tables_and_pictures_stand_as_text() -> None:
    table = Table(
        caption="Patients",
        columns=[Column("site", "Site", foreign=True), Column("n", "Number", kind="number")],
        rows=[["nl", 1546], ["de", Cell(state="withheld", below=5)], ["at", None]],
    )
    document = made(
        Heading("Methods"),
        Paragraph("A plan."),
        *(Paragraph(tone, tone=tone) for tone in TONES),
        Points(["first", "second"]),
        table,
        Picture(SVG, "A picture", "Figure"),
    )
    text = text_of(document)

    for expected in (
        "A study",
        "Methods",
        "A plan.",
        *TONES,
        "first",
        "second",
        "Patients",
        "1,546",
        "<\u00a05",
        "Figure",
        "Drawn",
    ):
        assert expected in text.replace("< 5", "<\u00a05"), expected
    assert document.metadata is not None
    assert document.metadata.title == "A study"


def test_what_people_wrote_is_text_and_never_markup() -> None:
    hostile = '#read("/etc/passwd") *bold* $x^2$ <label> @ref // comment'

    assert hostile in " ".join(text_of(made(Paragraph(hostile))).split())


def test_a_word_for_simulated_figures_stands_on_every_page() -> None:
    document = made(*[Paragraph("A line of the report.")] * 80, watermark="SIMULATED")

    assert len(document.pages) > 1
    assert all("SIMULATED" in page.extract_text() for page in document.pages)


def test_the_same_document_at_the_same_moment_has_the_same_bytes() -> None:
    first, second = (to_pdf([Paragraph("Same.")], title="T", foot="f", language="en", made_at=NOW) for _ in range(2))

    assert first == second


@pytest.mark.parametrize("language", sorted(WORDS))
def test_each_language_is_written_or_the_missing_typeface_is_named(language: str) -> None:
    word = WORDS[language]
    try:
        chosen = typefaces(word, language=language, available=INSTALLED)
    except TypefaceMissing:
        # A machine without such typefaces says so, in place of a page of empty boxes.
        assert language in ("zh-hans", "ur")
        with pytest.raises(TypefaceMissing, match="setting `fonts` names"):
            made(Paragraph(word), language=language)
        return

    document = made(Paragraph(word), language=language)
    assert chosen[-1] == OWN
    if language != "ur":
        assert word in text_of(document)


@pytest.mark.parametrize(("text", "script"), [("中文", "Chinese"), ("اردو", "Arabic")])
def test_a_report_in_english_that_quotes_another_script_needs_its_typeface_too(text: str, script: str) -> None:
    with pytest.raises(TypefaceMissing, match=f"with {script} letters"):
        typefaces(f"Institute ({text})", language="en", available=[OWN])

    assert typefaces("Institute", language="en", available=[OWN]) == [OWN]
    assert typefaces(text, language="en", available=["Noto Naskh Arabic", "Noto Sans CJK SC"])[0].startswith("Noto")


def test_a_document_is_downloaded_under_a_safe_name() -> None:
    answer = pdf_response(b"%PDF", name='a/../"b"-ur')

    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"].startswith('attachment; filename="a-..-b--ur.pdf"')

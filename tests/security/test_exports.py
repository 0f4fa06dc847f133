"""What a spreadsheet opens: no cell of any export is a formula, whoever wrote its text."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.accounts import exports as accounts_exports
from corridor.accounts.models import AuditEntry
from corridor.web import exports as web_exports
from tests.security.conftest import signed_in

SOURCE = Path(__file__).parents[2] / "src" / "corridor"
FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1+1",
    "   @x",
    "\u00a0=1",
    "\u3000-1",
    "\u200b=1",
    "\uff1d1+1",
    " \uff20x",
)
BLANKS = " \t\r\n\u00a0\u2003\u3000\u200b\ufeff"


def _is_formula(cell: str) -> bool:
    """Return whether a spreadsheet that trims blanks would run the cell."""
    return cell.lstrip(BLANKS).startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20")) or cell.startswith(("\t", "\r", "\n"))


@pytest.mark.parametrize("quoted", [accounts_exports.quoted, web_exports.quoted], ids=["audit", "pages"])
@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_behind_any_blank_becomes_text(quoted: Any, text: str) -> None:
    assert _is_formula(text)
    assert quoted(text) == f"'{text}"


@pytest.mark.parametrize("quoted", [accounts_exports.quoted, web_exports.quoted], ids=["audit", "pages"])
@given(
    blanks=st.text(st.sampled_from(BLANKS), max_size=3),
    mark=st.sampled_from("=+-@\t\r\nx1'\uff1d\uff0b\uff0d\uff20"),
    rest=st.text(max_size=5),
)
def test_no_text_is_a_formula_and_none_is_lost(quoted: Any, blanks: str, mark: str, rest: str) -> None:
    text = blanks + mark + rest
    shown = quoted(text)
    assert not _is_formula(shown)
    assert shown.removeprefix("'") == text or shown == text


def test_the_audit_trail_is_exported_without_formulas(auditor: Any, client: Any) -> None:
    for name in FORMULAS:
        client.post("/accounts/login", {"username": name, "password": "wrong"})
    assert AuditEntry.objects.filter(subject__contains="1+1").exists()

    answer = signed_in(auditor).get("/accounts/audit/export.csv")

    cells = [cell for row in csv.reader(io.StringIO(answer.content.decode().lstrip("\ufeff"))) for cell in row]
    assert any("1+1" in cell for cell in cells)
    assert [cell for cell in cells if _is_formula(cell)] == []


def test_whatever_writes_csv_for_people_quotes_its_cells() -> None:
    writers = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if re.search(r"csv\.writer\(", path.read_text())
    }
    assert writers == {"accounts/exports.py", "exchange/views/crossings.py", "web/exports.py"}

"""The reference pages say what the code does: those made from it are up to date, those written by hand are complete."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from corridor.exchange.rules.agreement import draft

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"

SOURCE = {
    "instrument": {"title": {"en": "A"}, "date": "2026-12-01", "reference": "1"},
    "parties": [
        {"node": f"{code}.a", "country": code.upper(), "legal_entity": "A", "authority": "B", "mandate": "C"}
        for code in ("pk", "cn")
    ],
    "purpose": "P",
    "legal_basis": [{"country": code, "basis": "B"} for code in ("PK", "CN")],
    "channels": [
        {
            "id": "c",
            "clause": "1",
            "from": ["pk.a"],
            "to": ["cn.a"],
            "message": "surveillance.period-counts/1",
            "data_class": "aggregate",
            "purpose": "p",
            "place_level": "admin1",
            "period": "week",
            "disclosure": [{"disease": "*", "place_level": "admin1", "stratum": "total", "min_cell": 5}],
            "filing": "f",
            "exemption": "e",
            "licence": "l",
        }
    ],
    "places": [{"base_map": "ISO 3166-2", "codes": ["PK-*"]}],
    "benefit_sharing": "B",
    "disputes": "D",
    "start_at": "2027-01-01T00:00:00Z",
    "end_at": "2028-01-01T00:00:00Z",
    "emergency": {"dormant": True, "opened_by": "each-party", "open_days": 30},
}


def members(value: object, path: str = "") -> Iterator[str]:
    """Yield the path of every member of a document that holds no further members."""
    if isinstance(value, dict) and not path.endswith(("title", "texts")):
        for name, inner in value.items():
            yield from members(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from members(value[0], f"{path}[]")
    else:
        yield path


def test_every_member_of_an_agreement_is_explained_and_nothing_else() -> None:
    page = (REFERENCE / "agreement.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    explained = {name for cell in rows for name in re.findall(r"`([^`]+)`", cell)}

    document = json.loads(draft(SOURCE, texts={"en": b"A"}))

    assert explained - {"emergency"} == set(members(document))


def test_pages_made_from_the_code_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "tools/reference.py", "check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_every_page_that_a_document_links_to_is_there() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    missing = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in documents
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
        if not (document.parent / target).exists()
    ]

    assert missing == []


def test_every_page_is_found_from_the_index() -> None:
    docs = ROOT / "docs"
    index = (docs / "README.md").read_text(encoding="utf-8")
    linked = {(docs / target).resolve() for target in re.findall(r"\]\(([^)#:\s]+)\)", index)}
    pages = {page for page in docs.rglob("*.md") if page != docs / "README.md"}
    records = set((docs / "decisions").glob("0*.md"))

    assert sorted(str(page) for page in pages - records - linked) == []

"""A treatment protocol as a structured, dated document: what a side does, in figures, each with its source."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from corridor.base.differences import SidePair, side_by_side
from corridor.base.members import FaultyDocument, Members, from_toml
from corridor.exchange.rules.canonical import canonical, parse_canonical, sha256_hex

__all__ = [
    "INTENTS",
    "ROUTES",
    "SCHEMA",
    "UNITS",
    "MalformedTreatment",
    "Treatment",
    "compare_treatments",
    "draft_treatment",
    "read_treatment",
    "treatment_from_toml",
]

SCHEMA = "health-corridor.treatment/1"
MAX_BYTES = 262_144
LANGUAGES = ("en", "zh-hans", "ru", "ur")
INTENTS = ("curative", "neoadjuvant", "adjuvant", "palliative", "supportive", "chelation")
ROUTES = (
    "oral", "intravenous", "subcutaneous", "intramuscular", "intrathecal", "topical", "inhaled", "external-beam",
)  # fmt: skip
UNITS = (
    "mg", "mg/m2", "mg/kg", "g", "g/m2", "ug", "ug/kg", "mL/kg", "[IU]", "[IU]/kg", "mg/(m2.d)", "mg/(kg.d)", "mg/d",
    "mg.min/mL", "Gy",
)  # fmt: skip
"""Units of doses, as UCUM writes them; ``mg.min/mL`` is the area under the curve (AUC) of carboplatin."""

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,60}[a-z0-9])?")
_ICD10 = re.compile(r"[A-Z]\d\d(\.\d{1,2})?")
_COUNTRY = re.compile(r"[A-Z]{2}")
_PUBLISHED = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")
_MOST = 1e6

# Lists whose entries have a name of their own: entries of that name are compared, wherever they stand.
_NAMED_BY: Mapping[str, str] = {
    "sources": "id",
    "eligibility": "id",
    "surgery": "id",
    "regimens": "id",
    "drugs": "drug",
    "targets": "id",
    "palliative": "id",
}


class MalformedTreatment(FaultyDocument):
    """The document is no treatment protocol of this schema; every fault is listed with its JSON pointer."""

    code: ClassVar[str] = "malformed-treatment"
    noun: ClassVar[str] = "treatment protocol"


@dataclass(frozen=True)
class Treatment:
    """A treatment protocol that was read and found whole.

    Attributes
    ----------
    hash : str
        SHA-256 of the canonical bytes in hexadecimal: two sides that name it mean the same document.
    id : str
    version : int
    title : mapping of language to text
    adopted_on : date
        Since when the side works by it.
    document : mapping
        All members, as JSON has them.
    """

    hash: str
    id: str
    version: int
    title: Mapping[str, str]
    adopted_on: date
    document: Mapping[str, Any]


def draft_treatment(source: str | Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of the treatment protocol that `source` (TOML text, or its members) describes.

    Raises
    ------
    MalformedTreatment
        If the text is no TOML, or anything is missing or wrong; every fault is listed.
    """
    drafted: bytes = canonical({"schema": SCHEMA, **from_toml(source, fault=MalformedTreatment)})
    read_treatment(drafted)
    return drafted


def treatment_from_toml(source: str) -> Treatment:
    """Return the treatment protocol that a TOML text describes.

    Raises
    ------
    MalformedTreatment
    """
    return read_treatment(draft_treatment(source))


def read_treatment(document: bytes) -> Treatment:
    """Return the treatment protocol that `document` holds.

    Parameters
    ----------
    document : bytes
        Canonical JSON (RFC 8785), at most 256 KiB.

    Raises
    ------
    MalformedTreatment
        If the schema is broken anywhere; all faults are listed.
    NotCanonical
        If the bytes are not canonical JSON.
    """
    if len(document) > MAX_BYTES:
        raise MalformedTreatment.of_text(f"expected at most {MAX_BYTES} bytes, came {len(document)}")
    value = parse_canonical(document)
    root = Members.of(value)
    root.choice("schema", (SCHEMA,))
    id_, version = root.text("id", pattern=_SLUG), root.whole("version", least=1, most=9999, fallback=1)
    title = root.texts("title", LANGUAGES)
    _read_side(root)
    known = _read_sources(root)
    readers: Mapping[str, Callable[[Members], None]] = {
        "eligibility": _read_statement,
        "surgery": _read_surgery,
        "regimens": _read_regimen,
        "targets": _read_target,
        "palliative": _read_statement,
    }
    for key, read in readers.items():
        names: list[str] = []
        for item in root.items(key, absent_allowed=True):
            _once(item, "id", item.text("id", pattern=_SLUG), names)
            _check_sources(item, known)
            read(item)
            item.done()
    adopted_on = root.day("adopted_on")
    root.done()
    if root.faults:
        raise MalformedTreatment(tuple(root.faults))
    return Treatment(sha256_hex(document), id_, version, title, adopted_on, value)


def compare_treatments(left: Treatment, right: Treatment) -> list[SidePair]:
    """Return every statement of either protocol with what each side says; entries of the same id or drug together."""
    return side_by_side(left.document, right.document, named_by=_NAMED_BY)


def _read_side(root: Members) -> None:
    side = root.members("side")
    side.text("institution")
    side.optional("country", pattern=_COUNTRY, absent_allowed=True)
    side.done()
    disease = root.members("disease")
    disease.text("icd10", pattern=_ICD10)
    disease.text("label")
    disease.done()


def _read_sources(root: Members) -> frozenset[str]:
    names: list[str] = []
    for item in root.items("sources", at_least=1):
        _once(item, "id", item.text("id", pattern=_SLUG), names)
        item.text("citation")
        item.text("published", pattern=_PUBLISHED)
        item.optional("url", absent_allowed=True)
        item.done()
    return frozenset(names)


def _check_sources(item: Members, known: frozenset[str]) -> None:
    """Note an entry that names no source, or one that the document does not list: no figure stands by itself."""
    for name in item.strings("sources", at_least=1):
        if name and name not in known:
            item.fault("sources", "expected ids of entries under sources")


def _read_statement(item: Members) -> None:
    item.text("text")


def _read_surgery(item: Members) -> None:
    item.text("procedure")
    item.text("technique")
    item.optional("indication", absent_allowed=True)


def _read_regimen(item: Members) -> None:
    item.text("name")
    item.choice("intent", INTENTS)
    if item.has("cycles"):
        item.whole("cycles", least=1, most=1000)
    item.optional("until", absent_allowed=True)
    if item.has("cycles") == item.has("until"):
        item.fault("cycles", "expected either cycles (how many) or until (when it ends), and not both")
    length = item.whole("cycle_days", least=1, most=366, fallback=1)
    names: list[str] = []
    for drug in item.items("drugs", at_least=1):
        _once(drug, "drug", drug.text("drug"), names)
        _read_dose(drug, length)
        drug.done()


def _read_dose(drug: Members, cycle_days: int) -> None:
    least = drug.number("dose", least=0, most=_MOST)
    if drug.has("dose_to") and drug.number("dose_to", least=0, most=_MOST, fallback=_MOST) <= least:
        drug.fault("dose_to", "expected more than dose: the two are the ends of a range")
    drug.choice("unit", UNITS)
    drug.choice("route", ROUTES)
    before = len(drug.faults)
    days = drug.numbers("days", least=1, most=cycle_days)
    in_order = days and all(day == int(day) for day in days) and sorted(set(days)) == days
    if not in_order and len(drug.faults) == before:
        drug.fault("days", "expected the days of the cycle on which it is given, whole numbers from 1, in order")
    drug.optional("schedule", absent_allowed=True)


def _read_target(item: Members) -> None:
    item.text("measure")
    item.text("unit")
    if not (item.has("least") or item.has("most")):
        item.fault("least", "expected least, most or both")
    least = item.number("least", least=-_MOST, most=_MOST) if item.has("least") else -_MOST
    if item.has("most") and item.number("most", least=-_MOST, most=_MOST, fallback=_MOST) < least:
        item.fault("most", "expected at least as much as least")


def _once(item: Members, key: str, name: str, names: list[str]) -> None:
    if name and name in names:
        item.fault(key, "expected each name once")
    names.append(name)

"""What sites share of care: a treatment protocol or a follow-up schedule, each as bytes that have one hash."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from corridor.base.members import from_toml
from corridor.exchange.rules.canonical import NotCanonical, canonical, parse_canonical, sha256_hex
from corridor.pillars.research.rules.care.plan_definition import (
    MAX_BYTES,
    read_plan_definition,
    write_plan_definition,
)
from corridor.pillars.research.rules.care.schedule import MalformedSchedule, Schedule, schedule_from_toml
from corridor.pillars.research.rules.care.treatment import (
    MalformedTreatment,
    Treatment,
    draft_treatment,
    read_treatment,
)

__all__ = ["CareDocument", "CareKind", "draft_care_document", "read_care_document"]


class CareKind(StrEnum):
    """What a document is."""

    TREATMENT = "treatment"
    SCHEDULE = "schedule"


@dataclass(frozen=True)
class CareDocument:
    """A treatment protocol or a follow-up schedule as it is shared and kept.

    Attributes
    ----------
    hash : str
        SHA-256 of the canonical bytes in hexadecimal.
    name : str
        What all its versions share: the id of a treatment protocol, the URL of a schedule.
    title : mapping of language to text
        A schedule has one title; it stands under ``en``, as FHIR knows no language of it.
    disease : str
        Code of ICD-10; empty for a schedule, which names none.
    dated_on : date
        Since when a treatment protocol is worked by; the date of a schedule.
    treatment, schedule : one of them is None
    """

    hash: str
    kind: CareKind
    name: str
    version: str
    title: Mapping[str, str]
    disease: str
    dated_on: date
    treatment: Treatment | None = None
    schedule: Schedule | None = None


def draft_care_document(text: str) -> tuple[CareKind, bytes]:
    """Return what a text describes and its canonical bytes.

    Parameters
    ----------
    text : str
        TOML of a treatment protocol or of a schedule; or JSON of a treatment protocol or of a PlanDefinition, which is
        kept with all its members.

    Raises
    ------
    MalformedTreatment, MalformedSchedule
        If anything is missing or wrong; every fault is listed.
    """
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return _of_json(text)
    members = from_toml(text, fault=MalformedTreatment)
    if "groups" in members or "items" in members:
        return CareKind.SCHEDULE, canonical(write_plan_definition(schedule_from_toml(members)))
    return CareKind.TREATMENT, draft_treatment(members)


def read_care_document(kind: CareKind, document: bytes) -> CareDocument:
    """Return the document that canonical bytes hold.

    Raises
    ------
    MalformedTreatment, MalformedSchedule
        If the document breaks its schema, or the bytes of a schedule are not canonical JSON.
    NotCanonical
        If the bytes of a treatment protocol are not canonical JSON.
    """
    if kind is CareKind.TREATMENT:
        treatment = read_treatment(document)
        return CareDocument(
            hash=treatment.hash,
            kind=kind,
            name=treatment.id,
            version=str(treatment.version),
            title=treatment.title,
            disease=str(treatment.document["disease"]["icd10"]),
            dated_on=treatment.adopted_on,
            treatment=treatment,
        )
    if len(document) > MAX_BYTES:
        raise MalformedSchedule.of_text(f"expected at most {MAX_BYTES} bytes, came {len(document)}")
    try:
        parse_canonical(document)
    except NotCanonical:
        raise MalformedSchedule.of_text("expected canonical JSON (RFC 8785), which has one hash") from None
    schedule = read_plan_definition(document.decode())
    return CareDocument(
        hash=sha256_hex(document),
        kind=kind,
        name=schedule.url,
        version=schedule.version,
        title={"en": schedule.title},
        disease="",
        dated_on=schedule.dated_on,
        schedule=schedule,
    )


def _of_json(text: str) -> tuple[CareKind, bytes]:
    try:
        members: Any = json.loads(text)
        document: bytes = canonical(members)
    except (ValueError, RecursionError, NotCanonical):
        raise MalformedTreatment.of_text(
            "the file is no JSON; expected a treatment protocol or a FHIR PlanDefinition"
        ) from None
    kind = CareKind.SCHEDULE if isinstance(members, dict) and "resourceType" in members else CareKind.TREATMENT
    read_care_document(kind, document)
    return kind, document

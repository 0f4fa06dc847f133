"""A follow-up schedule as a FHIR R4 PlanDefinition, written and read.

Each time at which something is due is an action of its own, at an offset after the action ``start``; its window is the
extension of HL7's guide for schedules of activities. Nothing that a reader would have to guess is written, and nothing
that would change the meaning is passed over in reading.

Source: HL7 FHIR 4.0.1, PlanDefinition; HL7 Vulcan, Clinical Study Schedule of Activities 1.0.0 (STU 1), extension
AcceptableOffsetRangeSoa.
"""

import json
import re
from datetime import date
from typing import Any

from corridor.base.members import Members
from corridor.pillars.research.rules.care.schedule import (
    CITATION,
    CODE,
    MOST,
    START,
    UNITS,
    URL,
    VERSION,
    Item,
    ItemKind,
    MalformedSchedule,
    Occurrence,
    RiskGroup,
    Schedule,
    Status,
    check_items,
)

__all__ = ["read_plan_definition", "write_plan_definition"]

MAX_BYTES = 4_194_304
NOTICE = "Guidance as data, to plan by; no medical advice."
_UCUM = "http://unitsofmeasure.org"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_TYPE = "http://terminology.hl7.org/CodeSystem/plan-definition-type"
_WINDOW = "http://hl7.org/fhir/uv/vulcan-schedule/StructureDefinition/AcceptableOffsetRangeSoa"
_CATEGORIES = {ItemKind.VISIT: "exam", ItemKind.IMAGING: "imaging", ItemKind.LABORATORY: "laboratory"}
_KINDS = {category: kind for kind, category in _CATEGORIES.items()}
_UNIT_WORDS = {"d": "days", "wk": "weeks", "mo": "months"}
_ID = re.compile(r"[^\s]{1,200}")
_CONDITION = re.compile(r"%riskGroup = '([a-z][a-z0-9_-]{0,39})'")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T].*)?")

# What describes the document and changes nothing about what is due when.
_DESCRIPTIVE = (
    "id", "meta", "language", "text", "extension", "identifier", "name", "subtitle", "experimental",
    "subjectCodeableConcept", "contact", "description", "useContext", "jurisdiction", "purpose", "usage", "copyright",
    "approvalDate", "lastReviewDate", "effectivePeriod", "topic", "author", "editor", "reviewer", "endorser",
)  # fmt: skip
_DESCRIPTIVE_OF_ACTION = ("description", "textEquivalent", "documentation", "extension")


def write_plan_definition(schedule: Schedule) -> dict[str, Any]:
    """Return the schedule as a PlanDefinition, ready for `json.dumps`."""
    return {
        "resourceType": "PlanDefinition",
        "url": schedule.url,
        "version": schedule.version,
        "title": schedule.title,
        "type": {"coding": [{"system": _TYPE, "code": "clinical-protocol"}]},
        "status": schedule.status.value,
        "date": schedule.dated_on.isoformat(),
        "publisher": schedule.publisher,
        "description": NOTICE,
        "relatedArtifact": [{"type": "citation", "citation": source} for source in schedule.sources],
        "action": [
            {"id": START, "title": schedule.start},
            *(_written_group(group, schedule.url) for group in schedule.groups),
        ],
    }


def read_plan_definition(document: str) -> Schedule:
    """Return the schedule that a PlanDefinition in JSON holds.

    Raises
    ------
    MalformedSchedule
        If it is no JSON, or an element is missing, wrong or of a kind that this reader does not know; all faults are
        listed.
    """
    if len(document) > MAX_BYTES:
        raise MalformedSchedule.of_text(f"expected at most {MAX_BYTES} characters, came {len(document)}")
    try:
        root = Members.of(json.loads(document))
    except (ValueError, RecursionError):
        raise MalformedSchedule.of_text(
            "the file is no JSON; expected a FHIR PlanDefinition, as `corridor care plan` writes one"
        ) from None
    root.choice("resourceType", ("PlanDefinition",))
    if root.faults:
        raise MalformedSchedule(tuple(root.faults))  # of another resource every member would be a fault
    url = root.text("url", pattern=URL)
    if root.has("type"):
        _coding(root.members("type"), "type", system=_TYPE, allowed=("clinical-protocol",))
    start, groups = _read_actions(root, url)
    schedule = Schedule(
        url=url,
        version=root.text("version", pattern=VERSION),
        title=root.text("title"),
        status=Status(root.choice("status", tuple(Status))),
        dated_on=_read_date(root),
        publisher=root.text("publisher"),
        start=start,
        sources=_read_sources(root),
        groups=groups,
    )
    root.skip(*_DESCRIPTIVE)
    root.done()
    if root.faults:
        raise MalformedSchedule(tuple(root.faults))
    return schedule


def _written_group(group: RiskGroup, url: str) -> dict[str, Any]:
    return {
        "id": group.code,
        "title": group.title,
        "condition": [
            {
                "kind": "applicability",
                "expression": {"language": "text/fhirpath", "expression": f"%riskGroup = '{group.code}'"},
            }
        ],
        "groupingBehavior": "logical-group",
        "selectionBehavior": "all",
        "action": [_written_item(item, f"{group.code}.{item.code}", url) for item in group.items],
    }


def _written_item(item: Item, prefix: str, url: str) -> dict[str, Any]:
    return {
        "id": prefix,
        "title": item.title,
        "code": [
            {"coding": [{"system": _CATEGORY, "code": _CATEGORIES[item.kind]}]},
            {"coding": [{"system": f"{url}#items", "code": item.code}]},
        ],
        "groupingBehavior": "logical-group",
        "selectionBehavior": "all",
        "action": [
            {"id": f"{prefix}.{number}", "relatedAction": [_written_offset(occurrence, item.unit)]}
            for number, occurrence in enumerate(item.occurrences, start=1)
        ],
    }


def _written_offset(occurrence: Occurrence, unit: str) -> dict[str, Any]:
    window = {"low": _quantity(occurrence.earliest, unit), "high": _quantity(occurrence.latest, unit)}
    return {
        "extension": [{"url": _WINDOW, "valueRange": window}],
        "actionId": START,
        "relationship": "after",
        "offsetDuration": _quantity(occurrence.at, unit),
    }


def _quantity(value: int, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": _UNIT_WORDS[unit], "system": _UCUM, "code": unit}


def _read_actions(root: Members, url: str) -> tuple[str, tuple[RiskGroup, ...]]:
    """Return the title of the start and the risk groups."""
    ids: list[str] = []
    start = ""
    groups: list[RiskGroup] = []
    for index, action in enumerate(root.items("action", at_least=2)):
        id_ = _read_id(action, ids)
        if index == 0:
            if id_ != START:
                action.fault("id", f"expected {START}: the first action is what everything is counted from")
            start = action.text("title")
            _finish(action)
            continue
        group = _read_group(action, url, ids)
        if group.code and any(group.code == other.code for other in groups):
            action.fault("condition", "expected each risk group once")
        check_items(root, f"action/{index}", group.items)
        groups.append(group)
    return start, tuple(groups)


def _read_group(action: Members, url: str, ids: list[str]) -> RiskGroup:
    title, code = action.text("title"), ""
    conditions = action.items("condition", at_least=1)
    if len(conditions) > 1:
        action.fault("condition", "expected one condition, the risk group")
    for condition in conditions:
        condition.choice("kind", ("applicability",))
        expression = condition.members("expression")
        expression.choice("language", ("text/fhirpath",))
        found = _CONDITION.fullmatch(expression.text("expression", pattern=_CONDITION))
        code = found[1] if found else ""
        expression.skip("description")
        expression.done()
        condition.done()
    items = tuple(_read_item(inner, url, ids) for inner in action.items("action", at_least=1))
    _finish(action)
    return RiskGroup(code, title, items)


def _read_item(action: Members, url: str, ids: list[str]) -> Item:
    _read_id(action, ids)
    title = action.text("title")
    codes = action.items("code", at_least=2)
    if len(codes) > 2:
        action.fault("code", "expected two codes, the category and the item")
    kind, code = ItemKind.VISIT, ""
    if len(codes) == 2:
        kind = _KINDS[_coding(codes[0], "category", system=_CATEGORY, allowed=tuple(_KINDS))]
        code = _coding(codes[1], "item", system=f"{url}#items")
    occurrences: list[Occurrence] = []
    units: list[str] = []
    for inner in action.items("action", at_least=1):
        _read_id(inner, ids)
        related = inner.items("relatedAction", at_least=1)
        if len(related) > 1:
            inner.fault("relatedAction", "expected one, to the start")
        for each in related:
            occurrences.append(_read_offset(each, units))
        inner.skip("title")
        _finish(inner)
    if len(set(units)) > 1:
        action.fault("action", "expected one unit for all times of an item")
    _finish(action)
    return Item(code, kind, title, units[0] if units else "d", tuple(sorted(occurrences, key=lambda each: each.at)))


def _read_offset(related: Members, units: list[str]) -> Occurrence:
    related.choice("actionId", (START,))
    related.choice("relationship", ("after", "after-start", "after-end"))
    at = _read_quantity(related.members("offsetDuration"), units)
    earliest = latest = at
    windows = related.items("extension", absent_allowed=True)
    if len(windows) > 1:
        related.fault("extension", "expected one extension, the window")
    for window in windows:
        window.choice("url", (_WINDOW,))
        bounds = window.members("valueRange")
        earliest = _read_quantity(bounds.members("low"), units)
        latest = _read_quantity(bounds.members("high"), units)
        bounds.done()
        window.done()
    if not earliest <= at <= latest:
        related.fault("extension", "expected a window that holds the offset")
    related.skip("id")
    related.done()
    return Occurrence(at, earliest, latest)


def _read_quantity(quantity: Members, units: list[str]) -> int:
    value = quantity.number("value", least=0, most=MOST)
    if value != int(value):
        quantity.fault("value", "expected a whole number")
    quantity.choice("system", (_UCUM,))
    units.append(quantity.choice("code", UNITS))
    quantity.skip("unit")
    quantity.done()
    return int(value)


def _coding(concept: Members, what: str, *, system: str, allowed: tuple[str, ...] = ()) -> str:
    """Return the code that a CodeableConcept has in one system."""
    found = []
    for coding in concept.items("coding", at_least=1):
        if coding.is_text("system") and coding.text("system") == system:
            found.append(coding.choice("code", allowed) if allowed else coding.text("code", pattern=CODE))
        else:
            coding.skip("system", "code")
        coding.skip("display", "version")
        coding.done()
    concept.skip("text")
    concept.done()
    if len(found) != 1:
        concept.fault("coding", f"expected one code of the {what} in the system {system}")
        return allowed[0] if allowed else ""
    return found[0]


def _read_id(action: Members, ids: list[str]) -> str:
    id_ = action.text("id", pattern=_ID)
    if id_ and id_ in ids:
        action.fault("id", "expected each id once")
    ids.append(id_)
    return id_


def _finish(action: Members) -> None:
    """Take what says "all of these, as they stand", and refuse everything else that an action can say."""
    if action.has("groupingBehavior"):
        action.choice("groupingBehavior", ("logical-group", "visual-group"))
    if action.has("selectionBehavior"):
        action.choice("selectionBehavior", ("all",))
    action.skip(*_DESCRIPTIVE_OF_ACTION)
    action.skip("id")
    action.done()


def _read_date(root: Members) -> date:
    text = root.text("date", pattern=_DATE)
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        if text:
            root.fault("date", "expected a day of the calendar, YYYY-MM-DD")
        return date(1970, 1, 1)


def _read_sources(root: Members) -> tuple[str, ...]:
    sources = []
    for artifact in root.items("relatedArtifact", at_least=1):
        if artifact.is_text("type") and artifact.text("type") == "citation":
            sources.append(artifact.text("citation", pattern=CITATION))
        else:
            artifact.skip("type", "citation")
        artifact.skip("label", "display", "url", "document", "resource", "id")
        artifact.done()
    if not sources:
        root.fault("relatedArtifact", "expected at least one citation")
    return tuple(sources)

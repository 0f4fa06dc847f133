"""A treatment protocol and a follow-up schedule as tables of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from corridor.accounts.approvals import isolated
from corridor.pillars.research.rules.care import Item, Occurrence, Schedule, Treatment
from corridor.pillars.research.texts import CARE_SECTIONS, INTENTS, ITEM_KINDS, ROUTES
from corridor.pillars.research.views.words import plain
from corridor.web.tables import Column, Table

__all__ = ["amount_text", "schedule_tables", "treatment_tables"]

Entry = Mapping[str, Any]


def treatment_tables(treatment: Treatment | None) -> list[dict[str, Any]]:
    """Return the parts of a treatment protocol that it has, each as a title and a table."""
    if treatment is None:
        return []
    made = {
        "eligibility": _statements,
        "surgery": _surgery,
        "regimens": _regimens,
        "targets": _targets,
        "palliative": _statements,
        "sources": _sources,
    }
    return [
        {"title": CARE_SECTIONS[name], "table": make(str(CARE_SECTIONS[name]), treatment.document[name])}
        for name, make in made.items()
        if treatment.document.get(name)
    ]


def schedule_tables(schedule: Schedule) -> list[dict[str, Any]]:
    """Return a table of what is due when for each risk group, and the sources."""
    tables: list[dict[str, Any]] = [
        {
            "title": group.title,
            "foreign": True,
            "table": _table(
                group.title,
                [("item", _("What")), ("kind", _("Kind")), ("due", _("Due")), ("window", _("On time"))],
                [row for item in group.items for row in _due_rows(item)],
            ),
        }
        for group in schedule.groups
    ]
    sources = _table(
        str(CARE_SECTIONS["sources"]), [("citation", _("Publication"))], [[each] for each in schedule.sources]
    )
    return [*tables, {"title": CARE_SECTIONS["sources"], "table": sources}]


def _due_rows(item: Item) -> list[list[object]]:
    """Return one row for each run of times that follow each other evenly and have windows alike."""
    rows: list[list[object]] = []
    for run in _runs(item.occurrences):
        first, last = run[0], run[-1]
        if len(run) > 1:
            due = _("every %(step)s, from %(first)s to %(last)s") % {
                "step": _length(run[1].at - first.at, item.unit),
                "first": plain(first.at, 0),
                "last": _length(last.at, item.unit),
            }
        else:
            due = _length(first.at, item.unit)
        window = _("from %(before)s before to %(after)s after") % {
            "before": _length(first.at - first.earliest, item.unit),
            "after": _length(first.latest - first.at, item.unit),
        }
        rows.append([item.title, ITEM_KINDS[item.kind.value], due, window])
    return rows


def _runs(occurrences: Sequence[Occurrence]) -> list[list[Occurrence]]:
    runs: list[list[Occurrence]] = []
    for each in occurrences:
        run = runs[-1] if runs else []
        alike = run and (each.at - each.earliest, each.latest - each.at) == (
            run[-1].at - run[-1].earliest,
            run[-1].latest - run[-1].at,
        )
        if alike and (len(run) == 1 or each.at - run[-1].at == run[1].at - run[0].at):
            run.append(each)
        else:
            runs.append([each])
    return runs


def _length(number: int, unit: str) -> str:
    texts = {
        "d": ngettext("%(number)s day", "%(number)s days", number),
        "wk": ngettext("%(number)s week", "%(number)s weeks", number),
        "mo": ngettext("%(number)s month", "%(number)s months", number),
    }
    return texts[unit] % {"number": plain(number, 0)}


def _statements(title: str, entries: Sequence[Entry]) -> Table:
    return _table(
        title,
        [("id", _("Of what")), ("text", _("Statement")), ("sources", _("Sources"))],
        [[each["id"], each["text"], _listed(each["sources"])] for each in entries],
    )


def _surgery(title: str, entries: Sequence[Entry]) -> Table:
    columns = [
        ("procedure", _("Operation")),
        ("technique", _("Technique")),
        ("indication", _("Indication")),
        ("sources", _("Sources")),
    ]
    rows = [
        [each["procedure"], each["technique"], each.get("indication") or "", _listed(each["sources"])]
        for each in entries
    ]
    return _table(title, columns, rows)


def _regimens(title: str, entries: Sequence[Entry]) -> Table:
    columns = [
        ("regimen", _("Regimen")),
        ("intent", _("Intent")),
        ("drug", _("Drug")),
        ("dose", _("Dose")),
        ("route", _("Route")),
        ("when", _("When")),
        ("length", _("How long")),
        ("sources", _("Sources")),
    ]
    rows = []
    for each in entries:
        for drug in each["drugs"]:
            rows.append(
                [
                    each["name"],
                    INTENTS[each["intent"]],
                    drug["drug"],
                    _dose(drug),
                    ROUTES[drug["route"]],
                    _when(each, drug),
                    _how_long(each),
                    _listed(each["sources"]),
                ]
            )
    return _table(title, columns, rows)


def _dose(drug: Entry) -> str:
    ends = [drug["dose"], *([drug["dose_to"]] if "dose_to" in drug else [])]
    return f"{'–'.join(map(amount_text, ends))}\N{NO-BREAK SPACE}{drug['unit']}"


def amount_text(value: float) -> str:
    """Return a number as the language of the page writes it, with all its decimals: no dose is rounded."""
    exponent = Decimal(str(value)).normalize().as_tuple().exponent
    return plain(value, max(-exponent, 0) if isinstance(exponent, int) else 0)


def _when(regimen: Entry, drug: Entry) -> str:
    days = ", ".join(plain(day, 0) for day in drug["days"])
    if regimen["cycle_days"] == 1:
        told = _("every day")
    else:
        told = _("on day %(days)s, repeated every %(length)s") % {
            "days": days,
            "length": _length(regimen["cycle_days"], "d"),
        }
    return f"{told}; {isolated(drug['schedule'])}" if drug.get("schedule") else told


def _how_long(regimen: Entry) -> str:
    if "cycles" not in regimen:
        return str(regimen.get("until") or "")
    text = ngettext("%(number)s cycle", "%(number)s cycles", regimen["cycles"])
    return text % {"number": plain(regimen["cycles"], 0)}


def _targets(title: str, entries: Sequence[Entry]) -> Table:
    columns = [("measure", _("Measure")), ("least", _("At least")), ("most", _("At most")), ("sources", _("Sources"))]
    rows = [
        [each["measure"], _bound(each, "least"), _bound(each, "most"), _listed(each["sources"])] for each in entries
    ]
    return _table(title, columns, rows)


def _bound(entry: Entry, end: str) -> str:
    return f"{amount_text(entry[end])} {entry['unit']}" if end in entry else ""


def _sources(title: str, entries: Sequence[Entry]) -> Table:
    columns = [("id", _("Short name")), ("citation", _("Publication")), ("published", _("Published"))]
    return _table(title, columns, [[each["id"], each["citation"], each["published"]] for each in entries])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _table(caption: str, columns: list[tuple[str, str]], rows: list[list[object]]) -> Table:
    return Table(
        caption=caption,
        quiet_caption=True,
        columns=[Column(key, label, foreign=True) for key, label in columns],
        rows=rows,
    )

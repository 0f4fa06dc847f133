"""Two treatment protocols side by side, part by part, what differs marked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from corridor.accounts.access import PersonRequest, page
from corridor.accounts.approvals import isolated
from corridor.base.differences import SidePair
from corridor.pillars.research import queries
from corridor.pillars.research.forms import CompareForm
from corridor.pillars.research.queries import CareView
from corridor.pillars.research.rules.care import CareKind
from corridor.pillars.research.texts import CARE_MEMBERS, CARE_SECTIONS, INTENTS, ROUTES
from corridor.pillars.research.views.care import SEE_CARE, side_text, treatment_choices
from corridor.pillars.research.views.care_tables import amount_text
from corridor.pillars.research.views.words import plain
from corridor.web.cells import language
from corridor.web.formats import day_text
from corridor.web.tables import Cell, Column, Table

__all__ = ["compare"]

_NAMES = ("name", "text", "procedure", "measure", "citation")
"""What an entry is called by, where it stands in one protocol alone."""


@page(SEE_CARE)
def compare(request: PersonRequest) -> HttpResponse:
    """Lay two treatment protocols side by side, what differs marked."""
    treatments = queries.care_documents(request.user, kind=CareKind.TREATMENT)
    form = CompareForm(request.GET, treatments=treatment_choices(treatments))
    if not form.is_valid():
        raise Http404
    left, right, pairs = queries.compare_documents(
        form.cleaned_data["left"], form.cleaned_data["right"], actor=request.user
    )
    lines = _lines([pair for pair in pairs if pair.path != ("schema",)])
    wanted = [line for line in lines if line.differs or not form.cleaned_data["differing"]]
    context = {
        "form": form,
        "left": left,
        "right": right,
        "sections": _sections(left, right, wanted),
        "answer": _answer(lines),
    }
    return render(request, "research/care_compare.html", context)


@dataclass(frozen=True)
class _Line:
    """One statement as the page shows it; an entry that one protocol alone has is one line."""

    section: str
    path: tuple[str, ...]
    left: str | None
    right: str | None
    differs: bool

    @property
    def is_alone(self) -> bool:
        return self.differs and (self.left is None or self.right is None)


def _lines(pairs: Sequence[SidePair]) -> list[_Line]:
    units = {pair.path[:-1]: pair for pair in pairs if pair.path[-1] == "unit"}
    found: list[_Line] = []
    for (section, entry), group in groupby(pairs, key=_entry):
        inside = list(group)
        left_only, right_only = (all(getattr(pair, side) is None for pair in inside) for side in ("right", "left"))
        if section != "document" and (left_only or right_only):
            name = _name(inside)
            found.append(_Line(section, (entry,), name if left_only else None, name if right_only else None, True))
            continue
        for pair in inside:
            unit = units.get(pair.path[:-1]) if pair.path[-1] in ("dose", "dose_to", "least", "most") else None
            sides = [
                _said(pair.path[-1], value, getattr(unit, side, None))
                for side, value in (("left", pair.left), ("right", pair.right))
            ]
            path = pair.path if section == "document" else pair.path[1:]
            found.append(_Line(section, path, sides[0], sides[1], pair.differs))
    return found


def _entry(pair: SidePair) -> tuple[str, str]:
    """Return the part of the protocol and the entry of it to which a statement belongs."""
    if pair.path[0] in CARE_SECTIONS and len(pair.path) > 1:
        return pair.path[0], pair.path[1]
    return "document", pair.path[0]


def _name(pairs: Sequence[SidePair]) -> str:
    values = {pair.path[-1]: pair.left if pair.right is None else pair.right for pair in pairs if len(pair.path) == 3}
    return next((str(values[name]) for name in _NAMES if name in values), pairs[0].path[1])


def _answer(lines: Sequence[_Line]) -> str:
    alone = sum(line.is_alone for line in lines)
    differ = sum(line.differs for line in lines) - alone
    if not alone and not differ:
        return _("The two protocols say the same.")
    same = len(lines) - differ - alone
    told = (
        (ngettext("%(count)s statement differs.", "%(count)s statements differ.", differ), differ),
        (ngettext("%(count)s stands in one protocol alone.", "%(count)s stand in one protocol alone.", alone), alone),
        (ngettext("%(count)s is the same.", "%(count)s are the same.", same), same),
    )
    return " ".join(text % {"count": plain(count, 0)} for text, count in told)


def _sections(left: CareView, right: CareView, lines: Sequence[_Line]) -> list[dict[str, Any]]:
    """Return a table for each part of a protocol, in the order in which care goes."""
    parts: dict[str, list[_Line]] = {name: [] for name in CARE_SECTIONS}
    for line in lines:
        parts[line.section].append(line)
    return [
        {"title": CARE_SECTIONS[name], "table": _table(str(CARE_SECTIONS[name]), left, right, inside)}
        for name, inside in parts.items()
        if inside
    ]


def _table(title: str, left: CareView, right: CareView, lines: Sequence[_Line]) -> Table:
    return Table(
        caption=title,
        quiet_caption=True,
        columns=[
            Column("statement", _("Statement")),
            Column("left", side_text(left), foreign=True),
            Column("right", side_text(right), foreign=True),
            Column("difference", pgettext("comparison", "Difference"), kind="badge"),
        ],
        rows=[[_path(line.path), line.left, line.right, _marked(line)] for line in lines],
    )


def _marked(line: _Line) -> Cell:
    if line.is_alone:
        return Cell(_("one side alone"), tone="accent")
    return Cell(_("differs"), tone="solid") if line.differs else Cell(_("same"))


def _path(path: tuple[str, ...]) -> str:
    """Return where a statement stands: members in words, names of entries as they are."""
    return " · ".join(
        str(CARE_MEMBERS[part]) if part in CARE_MEMBERS else isolated(part) for part in path if part != "drugs"
    )


def _said(member: str, value: object, unit: object = None) -> str | None:
    if value is None:
        return None
    said = _WORDS[member](value) if member in _WORDS else _plain(value)
    return f"{said}\N{NO-BREAK SPACE}{unit}" if unit is not None else said


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_plain(each) for each in value)
    return amount_text(value) if isinstance(value, int | float) else str(value)


_WORDS: Mapping[str, Callable[[object], str]] = {
    "adopted_on": lambda value: day_text(date.fromisoformat(str(value)), language=language()),
    "intent": lambda value: str(INTENTS.get(str(value), value)),
    "route": lambda value: str(ROUTES.get(str(value), value)),
}

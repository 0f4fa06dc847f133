"""One sample of every component in every state, for the components page and its test."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from corridor.web.parts import Moment
from corridor.web.tables import Cell, Column, Table


class SampleForm(forms.Form):
    """A field of each kind."""

    place = forms.CharField(
        label=gettext_lazy("Place"), help_text=gettext_lazy("By name or code, in any of the four scripts.")
    )
    since_on = forms.DateField(
        label=gettext_lazy("Since"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    disease = forms.ChoiceField(
        label=gettext_lazy("Disease"),
        choices=[("measles", gettext_lazy("Measles")), ("cholera", gettext_lazy("Cholera"))],
    )
    basis = forms.ChoiceField(
        label=gettext_lazy("Date basis"),
        widget=forms.RadioSelect,
        choices=[("onset", gettext_lazy("date of onset")), ("report", gettext_lazy("date of report"))],
    )
    note = forms.CharField(label=gettext_lazy("Note"), required=False, widget=forms.Textarea(attrs={"rows": 3}))


def samples(request: HttpRequest, *, now: datetime) -> dict[str, Any]:
    """Return what the components page shows; every value is invented."""
    return {
        "now": now,
        "table": sample_table().ordered(request.GET.get("sort", "place")),
        "empty_table": Table(
            caption=_("Signals to work"),
            columns=sample_table().columns,
            rows=[],
            empty=_("No signal is open. The next run is tonight."),
        ),
        "page": Paginator(range(240), 20).get_page(request.GET.get("page", 2)),
        "moments": sample_moments(now),
        "form": SampleForm(),
        "faulty_form": SampleForm({"since_on": "tomorrow", "disease": "measles", "basis": "onset"}),
        "facts": [
            (_("Clause"), "4.1"),
            (_("Disclosure rule"), _("cells below 5 are withheld")),
            (_("Partner"), "Ministry of Health <script>"),
        ],
        "digest": "7c1e5f0b9d2a4c6e8f1a3b5d7c9e0f2a4b6c8d0e1f3a5b7c9d1e3f5a7b9ca90b",
        "long_ago": now - timedelta(days=21),
        "an_hour_ago": now - timedelta(hours=1),
        "minutes_ago": now - timedelta(minutes=3),
    }


def sample_table() -> Table:
    """Return a table with a cell in every state."""
    return Table(
        caption=_("Cases by place, invented for this page"),
        columns=[
            Column("place", _("Place"), sortable=True, foreign=True),
            Column("week", _("Week"), kind="week", sortable=True),
            Column("cases", _("Cases"), kind="number", sortable=True),
            Column("expected", _("Expected"), kind="number"),
            Column("completeness", _("Completeness"), kind="percent"),
            Column("state", _("State"), kind="badge"),
        ],
        rows=[
            ["Punjab", "2026-W45", Cell(1138, state="alarm", url="#"), 619.5, 0.96, Cell(_("new"), tone="alarm")],
            ["سندھ", "2026-W46", Cell(38, state="incomplete"), 19, 0.41, Cell(_("verifying"), tone="accent")],
            [
                "新疆维吾尔自治区",
                "2026-W46",
                Cell(state="withheld", below=5, note=_("strata below 5")),
                2,
                0.99,
                Cell(_("discarded")),
            ],
            ["Балхский край", "2026-W46", Cell(state="missing"), 12, 0.0, Cell(_("verified"))],
            ["=HYPERLINK(1)", "2026-W46", Cell(0, state="simulated"), 0, 1.0, Cell(_("new"), tone="alarm")],
        ],
        sort="place",
    )


def sample_moments(now: datetime) -> list[Moment]:
    """Return a timeline with a moment of each tone."""
    return [
        Moment(at=now - timedelta(days=9), title=_("Drafted"), actor="Ayesha Siddiqui"),
        Moment(at=now - timedelta(days=7), title=_("Signed by both parties"), text="مرحبا <b>", url="#"),
        Moment(at=now - timedelta(days=2), title=_("Limit exceeded"), tone="alarm"),
        Moment(at=now - timedelta(days=1), title=_("In force"), tone="accent"),
    ]

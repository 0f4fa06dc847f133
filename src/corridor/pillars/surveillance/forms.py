"""What people type on the pages of surveillance."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from corridor.accounts.texts import fault_text
from corridor.base.errors import UserFault
from corridor.pillars.surveillance.tables import CASE_FIELDS, COUNT_FIELDS, Mapping, load_mapping
from corridor.pillars.surveillance.texts import (
    ALERT_TEXTS,
    BASES,
    KINDS,
    LEVELS,
    PERIODS,
    SEVERITIES,
    STATUSES,
    WITHDRAWALS,
    disease_name,
    place_text,
)

__all__ = [
    "BoardForm",
    "ChannelForm",
    "ColumnsForm",
    "CountsForm",
    "MoveForm",
    "NoteForm",
    "ReasonForm",
    "ReleaseForm",
    "ShareForm",
    "SignalFilterForm",
    "UploadForm",
    "WithdrawForm",
]

MOST_BYTES = 32 * 1024 * 1024
MOST_MAPPING_BYTES = 256 * 1024
_FIELDS = {"line-list": CASE_FIELDS, "counts": COUNT_FIELDS}
Choice = tuple[str, str | Promise]


def _choose(form: forms.Form, name: str, choices: Iterable[Choice]) -> None:
    field = form.fields[name]
    if isinstance(field, forms.ChoiceField):
        field.choices = list(choices)


def _by_name(codes: Iterable[str], name: Any) -> list[Choice]:
    return sorted(((code, name(code)) for code in codes), key=lambda pair: str(pair[1]).casefold())


def _day_input() -> forms.DateInput:
    # A browser's own date field takes ISO dates alone, whatever the language of the page.
    return forms.DateInput({"type": "date"}, format="%Y-%m-%d")


class BoardForm(forms.Form):
    """Which curves the board shows."""

    disease = forms.ChoiceField(label=pgettext_lazy("field", "Disease"), required=False)
    period = forms.ChoiceField(
        label=pgettext_lazy("field", "Period"), required=False, choices=[("", _("as judged")), *PERIODS.items()]
    )
    place = forms.ChoiceField(label=_("Own place"), required=False)

    def __init__(
        self, data: Any, *, diseases: Iterable[str], places: Iterable[str], partners: dict[str, list[str]]
    ) -> None:
        super().__init__(data)
        _choose(self, "disease", _by_name(diseases, disease_name))
        _choose(self, "place", _by_name(places, place_text))
        self.fields["period"].choices = [("week", PERIODS["week"]), ("day", PERIODS["day"])]  # type: ignore[attr-defined]  # a field of choices
        for node, codes in partners.items():
            self.fields[f"place-{node}"] = forms.ChoiceField(
                label=_("Place of %(country)s") % {"country": place_text(codes[0].partition("-")[0])},
                required=False,
                choices=_by_name(codes, place_text),
            )


class SignalFilterForm(forms.Form):
    """Which signals to show; every field may be left empty."""

    disease = forms.ChoiceField(label=pgettext_lazy("field", "Disease"), required=False)
    place = forms.ChoiceField(label=pgettext_lazy("field", "Place"), required=False)
    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[("", _("any")), ("open", _("open")), *STATUSES.items()],
    )
    both = forms.ChoiceField(
        label=_("Where"), required=False, choices=[("", _("anywhere")), ("1", _("on both sides of a border"))]
    )

    def __init__(self, data: Any, *, diseases: Iterable[str], places: Iterable[str]) -> None:
        super().__init__(data)
        _choose(self, "disease", [("", _("any")), *_by_name(diseases, disease_name)])
        _choose(self, "place", [("", _("any")), *_by_name(places, place_text)])


class MoveForm(forms.Form):
    """A step of the work on a signal."""

    to = forms.ChoiceField(label=_("The signal is"), widget=forms.RadioSelect)
    text = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=4000,
        widget=forms.Textarea({"rows": 3}),
        help_text=_("Say why in a sentence, without names or numbers of patients. A decision needs one."),
    )

    def __init__(self, data: Any = None, *, moves: Iterable[Choice] = ()) -> None:
        super().__init__(data)
        _choose(self, "to", moves)


class NoteForm(forms.Form):
    """A remark on a signal that moves nothing."""

    text = forms.CharField(label=_("Note"), max_length=4000, widget=forms.Textarea({"rows": 2}))


class ShareForm(forms.Form):
    """What a partner is told of a signal, and on which channel."""

    channel = forms.ChoiceField(label=_("Channel"))
    severity = forms.ChoiceField(label=_("Severity"), choices=[*SEVERITIES.items()])
    text_code = forms.ChoiceField(
        label=_("What the partner reads, in its own language"), choices=[*ALERT_TEXTS.items()]
    )

    def __init__(self, data: Any = None, *, channels: Iterable[Choice] = (), **options: Any) -> None:
        super().__init__(data, **options)
        _choose(self, "channel", channels)


class WithdrawForm(forms.Form):
    """Why an alert is taken back."""

    channel = forms.ChoiceField(label=_("Channel"))
    reason_code = forms.ChoiceField(label=_("Reason"), choices=[*WITHDRAWALS.items()])

    def __init__(self, data: Any = None, *, channels: Iterable[Choice] = (), **options: Any) -> None:
        super().__init__(data, **options)
        _choose(self, "channel", channels)


class ChannelForm(forms.Form):
    """A channel of an agreement, and whether this node sends on it by itself."""

    agreement = forms.RegexField(r"^[0-9a-f]{64}$")
    channel = forms.CharField(max_length=120)
    is_on = forms.BooleanField(required=False)


class ReleaseForm(forms.Form):
    """Figures of one disease that are to go to one partner by hand."""

    to = forms.CharField(max_length=120)
    disease = forms.CharField(max_length=120)
    figures = forms.TypedMultipleChoiceField(coerce=str)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        named = data.getlist("figures")
        _choose(self, "figures", [(text, text) for text in named])

    def clean_figures(self) -> list[tuple[str, date]]:
        """Return place and first day of each figure."""
        try:
            return [
                (place, date.fromisoformat(day))
                for place, _colon, day in (text.rpartition(":") for text in self.cleaned_data["figures"])
            ]
        except ValueError:
            raise ValidationError(_("This is no figure of the list."), code="no-figure") from None


class ReasonForm(forms.Form):
    """Why figures go by hand, and which consequences were shown before."""

    shown = forms.RegexField(r"^[0-9a-f]{64}$", widget=forms.HiddenInput)
    reason = forms.CharField(
        label=_("Reason"),
        max_length=1000,
        widget=forms.Textarea({"rows": 3}),
        help_text=_(
            "Why the partner must have these figures, without names or numbers of patients. It is recorded in the log,"
            " and whoever gets the evidence reads it."
        ),
    )


class CountsForm(forms.Form):
    """Which counts to show."""

    disease = forms.ChoiceField(label=pgettext_lazy("field", "Disease"), required=False)
    place = forms.ChoiceField(label=pgettext_lazy("field", "Place"), required=False)
    level = forms.ChoiceField(label=_("Level"), required=False, choices=[*LEVELS.items()])
    period = forms.ChoiceField(label=pgettext_lazy("field", "Period"), required=False, choices=[*PERIODS.items()])
    basis = forms.ChoiceField(label=_("Date basis"), required=False, choices=[*BASES.items()])
    first_on = forms.DateField(label=_("From"), required=False, widget=_day_input())
    until_on = forms.DateField(label=_("To"), required=False, widget=_day_input())
    known_on = forms.DateField(label=_("As known on"), required=False, widget=_day_input())

    def __init__(self, data: Any, *, diseases: Iterable[str], places: Iterable[str]) -> None:
        super().__init__(data)
        _choose(self, "disease", _by_name(diseases, disease_name))
        _choose(self, "place", [("", _("any")), *_by_name(places, place_text)])

    @property
    def known_at(self) -> datetime | None:
        """The end of the day whose knowledge is asked for."""
        day: date | None = self.cleaned_data.get("known_on")
        return None if day is None else datetime.combine(day + timedelta(days=1), time(), UTC)


class UploadForm(forms.Form):
    """A file, what it is, and how it is to be read."""

    file = forms.FileField(
        label=_("File"),
        max_length=200,
        help_text=_(
            "CSV in any common encoding, also gzipped, or Parquet; at most 32 MB. Larger files go in by command."
        ),
    )
    kind = forms.ChoiceField(label=_("What a row is"), choices=[*KINDS.items()], widget=forms.RadioSelect)
    source = forms.CharField(
        label=_("Source"),
        max_length=200,
        help_text=_("Who sent the file. Case ids are unique within a source; write its name as before."),
        widget=forms.TextInput({"list": "sources", "autocomplete": "off"}),
    )
    as_of_on = forms.DateField(
        label=_("Day of the extract"),
        required=False,
        widget=_day_input(),
        help_text=_("Today, if left empty. Nothing in the file may lie later."),
    )
    country = forms.ChoiceField(label=_("Country in which names of places are looked up"), required=False)
    period = forms.ChoiceField(
        label=_("Length of a period"), required=False, choices=[("", _("as the file shows")), *PERIODS.items()]
    )
    basis = forms.ChoiceField(label=_("Date basis"), required=False, choices=[*BASES.items()])
    month_first = forms.BooleanField(label=_("03/04/2024 is 4 March, the month first"), required=False)
    cumulative = forms.BooleanField(label=_("Counts are running totals"), required=False)
    corrections = forms.BooleanField(label=_("Negative counts are corrections"), required=False)
    simulated = forms.BooleanField(label=_("The data are simulated"), required=False)
    encoding = forms.CharField(
        label=_("Encoding"),
        required=False,
        max_length=40,
        help_text=_("Only where it is not recognised, such as gb18030."),
    )
    mapping = forms.FileField(
        label=_("Mapping file"),
        required=False,
        max_length=200,
        help_text=_("TOML: which column is what, and what its words mean."),
    )

    def __init__(
        self, data: Any = None, files: Any = None, *, countries: Iterable[Choice] = (), **options: Any
    ) -> None:
        super().__init__(data, files, **options)
        _choose(self, "country", [("", _("any")), *countries])

    def clean_file(self) -> bytes:
        """Return the bytes of the file."""
        upload = self.cleaned_data["file"]
        if upload.size > MOST_BYTES:
            raise ValidationError(
                _("The file is larger than 32 MB. Take it in with `corridor ingest`, or split it."), code="too-large"
            )
        return bytes(upload.read())

    def clean(self) -> dict[str, Any]:
        """Read the mapping, whose fields depend on the kind of file."""
        cleaned: dict[str, Any] = super().clean() or {}
        upload = cleaned.get("mapping")
        base = Mapping()
        if upload is not None and cleaned.get("kind"):
            if upload.size > MOST_MAPPING_BYTES:
                self.add_error("mapping", ValidationError(_("This file is too large for a mapping.")))
                return cleaned
            try:
                base = load_mapping(bytes(upload.read()), fields=_FIELDS[cleaned["kind"]])
            except UserFault as fault:
                self.add_error("mapping", ValidationError(fault_text(fault)))
        cleaned["base"] = base
        return cleaned


class ColumnsForm(forms.Form):
    """Which column of the file holds which field."""

    def __init__(
        self, data: Any = None, *, fields: Iterable[Choice], headings: Iterable[str], chosen: dict[str, str]
    ) -> None:
        super().__init__(data)
        choices = [("", _("none")), *((heading, heading) for heading in headings)]
        for name, label in fields:
            self.fields[name] = forms.ChoiceField(
                label=str(label), choices=choices, required=False, initial=chosen.get(name, "")
            )

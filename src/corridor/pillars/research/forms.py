"""What people type on the pages of research."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from corridor.accounts.texts import fault_text
from corridor.base.encodings import decode_text
from corridor.base.errors import InputFault
from corridor.base.textfiles import read_table
from corridor.pillars.research.tables import PATIENT_COLUMNS, Scale, SiteMapping
from corridor.pillars.research.texts import ENTRY_KINDS, VISIT_STANDINGS

__all__ = [
    "CompareForm",
    "DeclineForm",
    "DueForm",
    "EntryForm",
    "FreezeForm",
    "MappingForm",
    "MappingTextForm",
    "PatientsForm",
    "ProtocolForm",
    "PublishForm",
    "ReopeningForm",
    "StandingForm",
    "TableForm",
]

MOST_BYTES = 4 * 1024 * 1024
MOST_TABLE_BYTES = 32 * 1024 * 1024
MOST_MAPPING_LETTERS = 256 * 1024
_LARGEST_FACTOR = 1e12


class StandingForm(forms.Form):
    """How this site stands from now on, and why."""

    standing = forms.ChoiceField(label=_("From now on this site"), choices=())
    reason = forms.CharField(
        label=_("Reason"),
        max_length=2000,
        widget=forms.Textarea({"rows": 3}),
        help_text=_("For the people of the other sites; nothing of a patient."),
    )

    def __init__(self, *args: Any, choices: list[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "standing", choices)


class ProtocolForm(forms.Form):
    """A protocol to propose, and the agreement that opens joint research between its sites."""

    file = forms.FileField(label=_("Protocol"), help_text=_("A protocol in TOML, or an amendment of one."))
    agreement = forms.ChoiceField(label=_("Agreement that opens joint research"), choices=())

    def __init__(self, *args: Any, agreements: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "agreement", agreements)

    def clean_file(self) -> str:
        """Return the text of the file."""
        return text_of(self.cleaned_data["file"])


class PublishForm(forms.Form):
    """A treatment protocol or a follow-up schedule to share, and under which agreement."""

    file = forms.FileField(
        label=_("File"),
        help_text=_("A treatment protocol or a follow-up schedule in TOML, or a FHIR R4 PlanDefinition in JSON."),
    )
    agreement = forms.ChoiceField(label=_("Agreement under which it is shared"), choices=())

    def __init__(self, *args: Any, agreements: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "agreement", agreements)

    def clean_file(self) -> str:
        """Return the text of the file."""
        return text_of(self.cleaned_data["file"])


class CompareForm(forms.Form):
    """Which two treatment protocols to lay side by side."""

    left = forms.ChoiceField(label=_("One protocol"), choices=())
    right = forms.ChoiceField(label=_("The other"), choices=())
    differing = forms.BooleanField(label=_("Only what differs"), required=False)

    def __init__(self, *args: Any, treatments: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "left", treatments)
        choose(self, "right", treatments)


class DueForm(forms.Form):
    """Whom a due list shows; every field may be left empty."""

    on = forms.DateField(label=_("As of"), required=False, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))
    group = forms.ChoiceField(label=_("Risk group"), required=False, choices=())
    standing = forms.ChoiceField(
        label=_("Standing"),
        required=False,
        choices=[("", _("overdue, due and coming")), *VISIT_STANDINGS.items()],
    )
    ahead = forms.IntegerField(label=_("Days ahead"), required=False, min_value=0, max_value=366)

    def __init__(self, *args: Any, groups: list[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "group", [("", _("every group")), *groups])


class PatientsForm(forms.Form):
    """The site's own table of patients for a schedule."""

    table = forms.FileField(label=_("Table of patients"))

    def __init__(self, *args: Any, items: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        told = _("CSV or Parquet with the columns %(columns)s; dates of one cell are separated by semicolons.")
        self.fields["table"].help_text = told % {"columns": ", ".join([*PATIENT_COLUMNS, *items])}

    def clean_table(self) -> tuple[str, pl.DataFrame]:
        """Return the name of the file and the table in it."""
        file = self.cleaned_data["table"]
        if file.size > MOST_TABLE_BYTES:
            raise ValidationError(_("The file is larger than 32 MiB; register it by command."))
        try:
            return str(file.name), read_table(file.read())
        except InputFault as fault:
            raise ValidationError(fault_text(fault)) from fault


class FreezeForm(forms.Form):
    """For which study, and by which day, it is frozen how patients kept a schedule."""

    study = forms.ChoiceField(label=_("Study"), choices=())
    on = forms.DateField(label=_("As of"), widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))

    def __init__(self, *args: Any, studies: list[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "study", studies)


class EntryForm(forms.Form):
    """Something to bring to the symposium of a study."""

    kind = forms.ChoiceField(label=_("What it is"), choices=list(ENTRY_KINDS.items()))
    year = forms.IntegerField(label=_("Symposium of the year"), min_value=2000, max_value=2200)
    text = forms.CharField(
        label=_("Text"),
        max_length=2000,
        widget=forms.Textarea({"rows": 3}),
        help_text=_("The other sites read it; nothing of a patient."),
    )
    owner = forms.CharField(label=_("Who sees to it"), max_length=300, required=False)
    day = forms.DateField(label=_("Day"), required=False, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))
    run = forms.ChoiceField(
        label=_("Result"),
        required=False,
        choices=(),
        help_text=_("For a figure alone: what it shows is taken from this result whenever the page is opened."),
    )

    def __init__(self, *args: Any, runs: list[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "run", [("", _("none")), *runs])

    def clean(self) -> dict[str, Any]:
        """Let a figure have a result, and nothing else."""
        cleaned = super().clean() or {}
        is_figure = cleaned.get("kind") == "figure"
        if is_figure and not cleaned.get("run") and "run" not in self.errors:
            self.add_error("run", _("Choose the result that the figure is taken from."))
        if not is_figure and cleaned.get("run"):
            self.add_error("run", _("Only a figure is taken from a result."))
        return cleaned


class DeclineForm(forms.Form):
    """Why this site does not sign a protocol; it leaves the study with that."""

    standing = forms.CharField(initial="left", widget=forms.HiddenInput)
    reason = forms.CharField(
        label=_("Reason"),
        max_length=2000,
        widget=forms.Textarea({"rows": 3}),
        help_text=_("For the people of the other sites; nothing of a patient."),
    )


class TableForm(forms.Form):
    """The table of this site, and how its columns become variables where that is written down already."""

    file = forms.FileField(
        label=_("Table"),
        max_length=200,
        help_text=_(
            "CSV in any common encoding, also gzipped, Parquet, or an export of REDCap; at most 32 MB. Larger tables"
            " and databases come in by the command corridor study data."
        ),
    )
    mapping = forms.FileField(
        label=_("Mapping file"),
        required=False,
        max_length=200,
        help_text=_("TOML: which column is which variable. Without one the next page asks."),
    )

    def clean_file(self) -> bytes:
        """Return the bytes of the table."""
        upload = self.cleaned_data["file"]
        if upload.size > MOST_TABLE_BYTES:
            raise ValidationError(_("The table is larger than 32 MB. Bring it in with `corridor study data`."))
        return bytes(upload.read())

    def clean_mapping(self) -> str:
        """Return the text of the mapping, empty without one."""
        upload = self.cleaned_data["mapping"]
        return text_of(upload) if upload else ""


class MappingTextForm(forms.Form):
    """The mapping as text, for what the form of columns does not offer."""

    mapping = forms.CharField(
        label=_("Mapping"),
        required=False,
        strip=False,
        max_length=MOST_MAPPING_LETTERS,
        widget=forms.Textarea({"rows": 14, "dir": "ltr", "spellcheck": "false", "class": "code"}),
    )


class MappingForm(forms.Form):
    """Which column is which variable, by which factor its numbers are multiplied, and which code its words mean.

    Parameters
    ----------
    variables : (name, label, whether it is a number), of those that come from one column
    headings : of the table
    unmapped : (variable, its label, a text of the table, the protocol's codes with their labels)
    """

    def __init__(
        self,
        data: Any = None,
        *,
        variables: Iterable[tuple[str, str, bool]],
        headings: Iterable[str],
        unmapped: Iterable[tuple[str, str, str, Mapping[str, str]]],
        mapping: SiteMapping,
    ) -> None:
        super().__init__(data)
        known = list(headings)
        choices = [("", _("no column")), *((heading, heading) for heading in known)]
        self._columns: dict[str, str] = {}
        self._factors: dict[str, str] = {}
        self._words: dict[str, tuple[str, str]] = {}
        for place, (name, label, is_number) in enumerate(variables):
            heading, scale = mapping.columns.get(name, name), mapping.scales.get(name)
            self._columns[f"column-{place}"] = name
            self.fields[f"column-{place}"] = forms.ChoiceField(
                label=label, choices=choices, required=False, initial=heading if heading in known else ""
            )
            if is_number and not (scale and scale.plus):
                self._factors[f"factor-{place}"] = name
                self.fields[f"factor-{place}"] = forms.FloatField(
                    label=label,
                    required=False,
                    min_value=-_LARGEST_FACTOR,
                    max_value=_LARGEST_FACTOR,
                    initial=scale.times if scale else None,
                    widget=forms.NumberInput({"step": "any", "placeholder": "1"}),
                )
        for place, (name, label, text, codes) in enumerate(unmapped):
            self._words[f"code-{place}"] = (name, text)
            self.fields[f"code-{place}"] = forms.ChoiceField(
                label=f"{label}: \u2068{text}\u2069",
                choices=[("", _("counts as missing")), *codes.items()],
                required=False,
            )

    @property
    def columns(self) -> list[forms.BoundField]:
        """The fields that choose a column, by variable."""
        return [self[name] for name in self._columns]

    @property
    def factors(self) -> list[forms.BoundField]:
        """The fields that change a unit."""
        return [self[name] for name in self._factors]

    @property
    def words(self) -> list[forms.BoundField]:
        """The fields that give a word of the table its code."""
        return [self[name] for name in self._words]

    def changed(self, mapping: SiteMapping) -> SiteMapping:
        """Return the mapping with what was chosen; what the form does not offer stays as it is."""
        columns, scales = dict(mapping.columns), dict(mapping.scales)
        codes = {name: dict(own) for name, own in mapping.codes.items()}
        for field, name in self._columns.items():
            columns[name] = self.cleaned_data[field] or name
        for field, name in self._factors.items():
            scales[name] = Scale(times=self.cleaned_data[field] or 1.0)
        for field, (name, text) in self._words.items():
            if self.cleaned_data[field]:
                codes.setdefault(name, {})[text] = self.cleaned_data[field]
        return replace(
            mapping,
            columns={name: heading for name, heading in columns.items() if heading != name},
            scales={name: scale for name, scale in scales.items() if scale != Scale()},
            codes=codes,
        )


def choose(form: forms.Form, name: str, choices: list[tuple[str, Any]]) -> None:
    """Give a field of a form its choices."""
    field = form.fields[name]
    if isinstance(field, forms.ChoiceField):
        field.choices = choices


def text_of(file: Any) -> str:
    """Return an uploaded file as text.

    Raises
    ------
    ValidationError
        If it is larger than 4 MiB or no text.
    """
    if file.size > MOST_BYTES:
        raise ValidationError(_("The file is larger than 4 MiB."))
    try:
        return decode_text(file.read(), name=file.name).decode()
    except InputFault as fault:
        raise ValidationError(fault_text(fault)) from fault


class ReopeningForm(forms.Form):
    """Why the disclosure ledger is opened again."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=2000,
        widget=forms.Textarea({"rows": 3}),
        help_text=_("It stays in the audit trail and in the log; nothing of a patient."),
    )

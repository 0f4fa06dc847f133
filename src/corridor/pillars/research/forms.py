"""What people type on the pages of research."""

from typing import Any

import polars as pl
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from corridor.accounts.texts import fault_text
from corridor.base.encodings import decode_text
from corridor.base.errors import InputFault
from corridor.base.textfiles import read_table
from corridor.pillars.research.tables import PATIENT_COLUMNS
from corridor.pillars.research.texts import ENTRY_KINDS, VISIT_STANDINGS

__all__ = [
    "CompareForm",
    "DueForm",
    "EntryForm",
    "FreezeForm",
    "PatientsForm",
    "PublishForm",
    "ReopeningForm",
    "StandingForm",
]

MOST_BYTES = 4 * 1024 * 1024
MOST_TABLE_BYTES = 32 * 1024 * 1024


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

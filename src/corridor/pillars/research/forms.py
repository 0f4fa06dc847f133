"""What people type on the pages of research."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

__all__ = ["StandingForm"]


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
        field = self.fields["standing"]
        if isinstance(field, forms.ChoiceField):
            field.choices = choices

"""What people type on the pages of the exchange."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from corridor.exchange.queries import CrossingFilters
from corridor.exchange.queries.texts import DIRECTIONS, STATUSES

MAX_CARD_BYTES = 65_536


class CrossingFilterForm(forms.Form):
    """Which crossings to show; every field may be left empty."""

    partner = forms.ChoiceField(label=_("Partner"), required=False)
    agreement = forms.ChoiceField(label=_("Agreement"), required=False)
    channel = forms.ChoiceField(label=_("Channel"), required=False)
    direction = forms.ChoiceField(label=_("Direction"), required=False, choices=[("", _("both")), *DIRECTIONS.items()])
    status = forms.ChoiceField(label=_("Status"), required=False, choices=[("", _("any")), *STATUSES.items()])
    since_on = forms.DateField(label=_("From the day"), required=False, widget=forms.DateInput({"type": "date"}))
    until_on = forms.DateField(label=_("To the day"), required=False, widget=forms.DateInput({"type": "date"}))
    before = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)

    def __init__(
        self,
        data: Any,
        *,
        partners: list[tuple[str, str]],
        agreements: list[tuple[str, str]],
        channels: list[str],
    ) -> None:
        super().__init__(data)
        self._choose("partner", [("", _("any")), *partners])
        self._choose("agreement", [("", _("any")), *agreements])
        self._choose("channel", [("", _("any")), *((name, name) for name in channels)])

    def filters(self, *, limit: int, before_id: int | None) -> CrossingFilters:
        """Return what the form asks for; a field at fault filters nothing."""
        chosen = self.cleaned_data if self.is_bound and self.is_valid() else getattr(self, "cleaned_data", {})
        until = chosen.get("until_on")
        return CrossingFilters(
            partner=chosen.get("partner", ""),
            agreement=chosen.get("agreement", ""),
            channel=chosen.get("channel", ""),
            direction=chosen.get("direction", ""),
            status=chosen.get("status", ""),
            since=_midnight(chosen.get("since_on")),
            until=_midnight(until + timedelta(days=1)) if until else None,
            before_id=before_id,
            limit=limit,
        )

    def _choose(self, name: str, choices: list[tuple[Any, Any]]) -> None:
        field = self.fields[name]
        if isinstance(field, forms.ChoiceField):
            field.choices = choices


class AddPartnerForm(forms.Form):
    """A partner's card and the fingerprint that the partner told by another way."""

    card = forms.FileField(
        label=_("Card file"),
        help_text=_("The file that the partner’s officer sent (card.json)."),
        max_length=200,
    )
    fingerprint = forms.CharField(
        label=_("Fingerprint"),
        max_length=200,
        help_text=_(
            "As the partner’s officer read it out, by telephone or in person; never from the same message as the card."
        ),
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false", "dir": "ltr"}),
    )

    def clean_card(self) -> bytes:
        """Return the bytes of the card file."""
        return _small(self.cleaned_data["card"])


class TakeFileForm(forms.Form):
    """What a pinned partner says of its keys, as a file."""

    file = forms.FileField(
        label=_("File from the partner"),
        help_text=_("Its card, a revocation or a reinstatement. Its own keys sign it, so it may come by any way."),
        max_length=200,
    )

    def clean_file(self) -> bytes:
        """Return the bytes of the file."""
        return _small(self.cleaned_data["file"])


class ConfirmForm(forms.Form):
    """The tick without which nothing is stated about an agreement."""

    has_read = forms.BooleanField(label=_("I have read what this opens or closes, and I act for this institution."))


class PauseForm(forms.Form):
    """Why exchange with a partner is paused."""

    reason = forms.CharField(label=_("Reason"), max_length=500)


class ForgoForm(forms.Form):
    """Why a partner's return is no longer waited for."""

    reason = forms.CharField(
        label=_("Why nothing will be returned"),
        max_length=500,
        help_text=_("It stays in the log. No names of patients."),
    )


class CloseDisputeForm(forms.Form):
    """What was found about a dispute, and agreed with the partner."""

    closing_note = forms.CharField(
        label=_("What was found and agreed"),
        max_length=1000,
        help_text=_("It stays in the log. No names of patients."),
    )


class HoldForm(forms.Form):
    """Why a body is held by law."""

    reason = forms.CharField(
        label=_("Reason of the hold"),
        max_length=500,
        help_text=_("The order or the proceeding that calls for it. It stays on this node. No names of patients."),
    )


class LanguagePairForm(forms.Form):
    """The two languages of a difference."""

    first = forms.ChoiceField(label=_("First language"), choices=settings.LANGUAGES)
    second = forms.ChoiceField(label=_("Second language"), choices=settings.LANGUAGES)


def _small(upload: UploadedFile[bytes]) -> bytes:
    """Return the bytes of a file that may be a card."""
    if (upload.size or 0) > MAX_CARD_BYTES:
        raise ValidationError(_("This file is too large for a card. Ask the partner for card.json."))
    return bytes(upload.read())


def _midnight(day: Any) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)

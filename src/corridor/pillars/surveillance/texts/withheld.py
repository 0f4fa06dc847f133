"""What is said of figures that are withheld, and of what a partner could work out of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.utils.translation import gettext

from corridor.accounts.approvals import isolated
from corridor.base.disclosure import Breach
from corridor.pillars.surveillance.texts.codes import disease_name, listed, period_text, place_text


def withheld_limit(rule: str) -> int | None:
    """Return the size under which a figure was withheld, where the rule's name says so."""
    kind, _sign, limit = rule.partition("-")
    return int(limit) if kind == "below" and limit.isdecimal() else None


def withheld_text(rule: str) -> str:
    """Return what a rule on withholding says."""
    kind, _sign, limit = rule.partition("-")
    if kind == "below":
        return gettext("rule “cells below %(limit)s”") % {"limit": limit}
    if kind == "complement":
        return gettext("withheld because it would give a smaller figure away (limit %(limit)s)") % {"limit": limit}
    return gettext("withheld by agreement")


def release_text(arguments: dict[str, Any]) -> str:
    """Return what a release by hand is, for the second person: figures, recipient, channel and reason."""
    figures = [
        f"{place_text(place)} {period_text(date.fromisoformat(start), arguments['period'])}"
        for place, start, _ in arguments["figures"]
    ]
    return gettext(
        "Send %(node)s by hand what the disclosure ledger holds back: %(disease)s, %(figures)s"
        " (channel %(channel)s). Reason: %(reason)s"
    ) % {
        "node": isolated(arguments["to"]),
        "disease": disease_name(arguments["disease"]),
        "figures": listed(figures),
        "channel": isolated(arguments["channel"]),
        "reason": isolated(arguments["reason"]),
    }


def release_answers(arguments: dict[str, Any]) -> list[str]:
    """Return, sentence by sentence, what the partner could work out of withheld figures after a release by hand."""
    lines = [
        deduction_text(
            place=place,
            start_on=date.fromisoformat(start),
            end_on=date.fromisoformat(end),
            stratum=stratum,
            limit=limit,
            lower=lower,
            upper=upper,
        )
        for _disease, place, start, end, stratum, limit, lower, upper in arguments["tells"]
    ]
    return list(dict.fromkeys(lines))


def deduction_lines(breaches: Iterable[Breach]) -> list[str]:
    """Return the same of figures that were only weighed."""
    lines = [
        deduction_text(
            place=each.cell.place,
            start_on=each.cell.period_start,
            end_on=each.cell.period_end,
            stratum=each.cell.stratum,
            limit=each.limit,
            lower=each.lower or 0,
            upper=each.upper or 0,
        )
        for each in breaches
    ]
    return list(dict.fromkeys(lines))


def deduction_text(
    *, place: str, start_on: date, end_on: date, stratum: str, limit: int, lower: int, upper: int
) -> str:
    """Return to what a withheld figure narrows, in a sentence."""
    days = (end_on - start_on).days
    period = "week" if days == 7 else "day" if days == 1 else "month"
    names = {
        "place": " · ".join(part for part in (place_text(place), stratum) if part),
        "period": period_text(start_on, period),
        "limit": limit,
        "lower": lower,
        "upper": upper,
    }
    if lower == upper:
        return gettext("%(place)s, %(period)s, withheld as below %(limit)d: it is %(lower)d.") % names
    return gettext("%(place)s, %(period)s, withheld as below %(limit)d: it is between %(lower)d and %(upper)d.") % names

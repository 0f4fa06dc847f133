"""What codes of surveillance are called on pages, in the language of the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext, ngettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from corridor.base.epiweek import Week
from corridor.base.reference import diseases
from corridor.web.formats import day_text
from corridor.web.names import place_name

__all__ = [
    "ALERT_TEXTS",
    "BASES",
    "EFFECTS",
    "FIELDS",
    "IMPORT_STATUSES",
    "KINDS",
    "LEVELS",
    "METHODS",
    "METHOD_NAMES",
    "PERIODS",
    "REASONS",
    "SCHEMAS",
    "SEVERITIES",
    "STATUSES",
    "TONES",
    "WITHDRAWALS",
    "class_text",
    "disease_name",
    "language",
    "listed",
    "method_name",
    "named",
    "period_label",
    "period_text",
    "place_text",
    "short_period",
    "weekday_text",
    "withheld_limit",
    "withheld_text",
]

STATUSES: Mapping[str, Promise] = {
    "new": pgettext_lazy("signal", "new"),
    "verifying": pgettext_lazy("signal", "verifying"),
    "verified": pgettext_lazy("signal", "verified"),
    "discarded": pgettext_lazy("signal", "discarded"),
}
TONES = {"new": "alarm", "verifying": "accent", "verified": "solid", "discarded": "quiet"}
SEVERITIES: Mapping[str, Promise] = {
    "information": pgettext_lazy("severity", "for information"),
    "watch": pgettext_lazy("severity", "watch"),
    "urgent": pgettext_lazy("severity", "urgent"),
}
PERIODS: Mapping[str, Promise] = {
    "day": pgettext_lazy("period", "day"),
    "week": pgettext_lazy("period", "week"),
    "month": pgettext_lazy("period", "month"),
}
BASES: Mapping[str, Promise] = {"report": _("date of report"), "onset": _("date of onset")}
LEVELS: Mapping[str, Promise] = {
    "country": pgettext_lazy("level", "country"),
    "admin1": pgettext_lazy("level", "province or region"),
    "admin2": pgettext_lazy("level", "district"),
}
KINDS: Mapping[str, Promise] = {
    "line-list": _("line list: one row a case"),
    "counts": _("counts: one row a place and period"),
}
IMPORT_STATUSES: Mapping[str, Promise] = {
    "running": pgettext_lazy("import", "running"),
    "complete": pgettext_lazy("import", "complete"),
    "abandoned": pgettext_lazy("import", "given up"),
}
SCHEMAS: Mapping[str, Promise] = {
    "surveillance.period-counts/1": _("counts by place and period"),
    "surveillance.alert/1": _("alert"),
    "surveillance.alert-withdrawal/1": _("withdrawal of an alert"),
    "surveillance.case-notification/1": _("one case, told at once"),
}
ALERT_TEXTS: Mapping[str, Promise] = {
    "more-than-expected": _("More cases than expected."),
    "first-case": _("A case of a disease that is told at once."),
    "cluster": _("Cases linked in place and time."),
    "cross-border": _("A rise that may concern both sides of the border."),
    "verified-outbreak": _("An outbreak that was verified."),
}
WITHDRAWALS: Mapping[str, Promise] = {
    "not-confirmed": _("It was not confirmed."),
    "reporting-error": _("It was an error of reporting."),
    "duplicate": _("It was told twice."),
    "resolved": _("It is over."),
}
METHOD_NAMES: Mapping[str, str | Promise] = {
    "farrington-flexible": _("Farrington, flexible"),
    "farrington": _("Farrington, classic"),
    "ears-c1": "EARS C1",
    "ears-c2": "EARS C2",
    "ears-c3": "EARS C3",
    "fixed-value": _("fixed value"),
}
METHODS: Mapping[str, Promise] = {
    "farrington-flexible": _(
        "A regression over the same weeks of earlier years, with trend and season, says how many cases to expect. "
        "Past outbreaks weigh less. The limit is the count that chance alone would exceed only rarely."
    ),
    "farrington": _(
        "A regression over the same few weeks of earlier years says how many cases to expect. Past outbreaks weigh "
        "less. The limit is the count that chance alone would exceed only rarely."
    ),
    "ears-c1": _("The mean of the seven periods just before, plus three of their standard deviations, is the limit."),
    "ears-c2": _(
        "The mean of seven periods, two periods back, plus three of their standard deviations, is the limit; "
        "a slow rise cannot hide itself in it."
    ),
    "ears-c3": _("The excesses of the last three periods over a mean two periods back are added up."),
    "fixed-value": _("For this disease a fixed number of cases is already a signal, whatever was expected."),
}
EFFECTS: Mapping[str, Promise] = {
    "row left out": _("row left out"),
    "value read as unknown": _("value read as unknown"),
}
REASONS: Mapping[str, Promise] = {
    "missing-value": _("A value is needed here."),
    "unknown-place": _("No place of this name or code is known, in any of the four languages."),
    "ambiguous-place": _("Several places have this name: add the country or use the code."),
    "unknown-disease": _("No disease of this name or code is known."),
    "not-a-date": _("This is no date. Write 2024-01-31, 31.01.2024 or 31 Jan 2024."),
    "not-a-period": _("This is no period. Write a date, a week such as 2024-W05 or a month such as 2024-01."),
    "before-1900": _("The date lies before 1900."),
    "in-the-future": _("The date lies after the day of the extract."),
    "onset-after-report": _("The onset lies after the report."),
    "not-a-number": _("This is no whole number."),
    "negative-count": _("The count is below zero. Tick “corrections” if it takes back earlier cases."),
    "number-too-large": _("The number is too large."),
    "duplicate-id": _("The id occurs more than once in the file."),
    "duplicate-cell": _("The same disease, place and period occurs more than once in the file."),
    "more-reported-than-expected": _("More sites reported than were expected."),
    "more-positives-than-tests": _("More positives than tests."),
    "unknown-code": _("This word is not known here; a mapping file can say what it means."),
    "impossible-age": _("The age is not between 0 and 130 years."),
    "text-too-long": _("The text is longer than 64 characters."),
}
FIELDS: Mapping[str, Promise] = {
    "case_id": _("case id"),
    "disease": pgettext_lazy("field", "disease"),
    "place": pgettext_lazy("field", "place"),
    "country": pgettext_lazy("level", "country"),
    "onset_on": _("date of onset"),
    "report_on": _("date of report"),
    "age_years": _("age in years"),
    "sex": _("sex"),
    "classification": _("case class"),
    "outcome": _("outcome"),
    "imported_from": _("imported from"),
    "period": pgettext_lazy("field", "period"),
    "year": _("year"),
    "stratum": _("stratum"),
    "observed": pgettext_lazy("field", "cases"),
    "sites_reported": _("sites that reported"),
    "sites_expected": _("sites expected"),
    "tests": _("tests"),
    "positives": _("positive tests"),
}
_CLASSES: Mapping[str, Promise] = {
    "suspected": pgettext_lazy("case class", "suspected"),
    "probable": pgettext_lazy("case class", "probable"),
    "confirmed": pgettext_lazy("case class", "confirmed"),
    "unknown": pgettext_lazy("case class", "unknown"),
    "discarded": pgettext_lazy("case class", "discarded"),
    "female": pgettext_lazy("sex", "female"),
    "male": pgettext_lazy("sex", "male"),
    "other": pgettext_lazy("sex", "other"),
}
_SEPARATORS = {"zh-hans": "、", "ur": "، "}
_WEEKDAYS = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))


def language() -> str:
    """Return the language of the page."""
    return get_language() or "en"


def disease_name(code: str) -> str:
    """Return the name of a disease in the page's language; an unknown code stands as it is."""
    found = diseases().get(code)
    return found.name(language()) if found is not None else code


def place_text(code: str) -> str:
    """Return the name of a place in the page's language."""
    return place_name(code, language=language())


def named(table: Mapping[str, Promise] | Mapping[str, str | Promise], code: str) -> str:
    """Return what a code is called; an unknown one stands as it is."""
    return str(table.get(code, code))


def class_text(code: str) -> str:
    """Return what a case class or a sex is called."""
    return named(_CLASSES, code)


def method_name(code: str) -> str:
    """Return what a method is called; ``farrington-flexible, 4 years back`` says how much history it had."""
    method, _sign, history = code.partition(", ")
    years = history.removesuffix(" years back").removesuffix(" year back")
    if not years.isdecimal():
        return named(METHOD_NAMES, code)
    told = ngettext("%(method)s, %(years)d year of history", "%(method)s, %(years)d years of history", int(years))
    return told % {"method": named(METHOD_NAMES, method), "years": int(years)}


def listed(names: Iterable[str]) -> str:
    """Return names one after the other, parted as the page's language parts them."""
    return _SEPARATORS.get(language(), ", ").join(names)


def period_label(start: date, period: str) -> str:
    """Return how a period is written: ``2026-W46``, a day in words, or ``2026-11``."""
    if period == "week":
        return str(Week.of(start))
    return f"{start:%Y-%m}" if period == "month" else day_text(start, language=language(), short=True)


def period_text(start: date, period: str) -> str:
    """Return `period_label` so that it keeps its direction inside a sentence that runs from right to left."""
    text = period_label(start, period)
    return f"\u2066{text}\u2069" if language() == "ur" and period != "day" else text


def short_period(start: date, period: str) -> str:
    """Return how a period is written on the axis of a chart."""
    if period == "week":
        return gettext("W%(week)02d") % {"week": Week.of(start).week}
    return f"{start:%Y-%m}" if period == "month" else f"{start.day}.{start.month}."


def weekday_text(day: date) -> str:
    """Return a day with its weekday, as a language orders them."""
    return pgettext("a day", "%(weekday)s, %(day)s") % {
        "weekday": _WEEKDAYS[day.weekday()],
        "day": day_text(day, language=language()),
    }


def last_day(end: date) -> date:
    """Return the last day of a period whose end is exclusive."""
    return end - timedelta(days=1)


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

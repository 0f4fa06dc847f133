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
SETTINGS: Mapping[str, Promise] = {
    "method": _("Method"),
    "alpha": _("Probability of a false alarm"),
    "baseline": _("Periods that are compared with"),
    "fixed_value": _("Cases that are a signal by themselves"),
    "frequency": _("Periods a year"),
    "half_window": _("Periods on either side of the season"),
    "min_cases": _("Cases lately, below which there is no alarm"),
    "min_cases_weeks": _("Periods in which these are counted"),
    "min_sigma": _("Least standard deviation"),
    "offset": _("Counted against"),
    "paper": _("Follows the papers to the letter"),
    "past_weeks_excluded": _("Latest periods left out"),
    "periods": _("Levels of the season"),
    "power": _("Scale of the limit"),
    "reweight": _("Holds past outbreaks down"),
    "threshold": _("Kind of limit"),
    "trend": _("Tries a trend"),
    "trend_p": _("p value below which a trend is kept"),
    "weights_threshold": _("Residual from which a past outbreak is held down"),
    "years_back": _("Years of history"),
}
"""Settings of a run of detection: what the functions of `corridor.science` take."""
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
# What the audit trail records, as the page of the trail calls it.
ACTIONS: Mapping[str, Promise] = {
    "surveillance.begin_import": _("Begin to take a file in"),
    "surveillance.record_cases": _("Record cases"),
    "surveillance.record_tallies": _("Record completeness"),
    "surveillance.record_counts": _("Record counts"),
    "surveillance.complete_import": _("Complete an import"),
    "surveillance.abandon_import": _("Give an import up"),
    "surveillance.record_run": _("Record a run of detection"),
    "surveillance.record_delays": _("Record reporting delays"),
    "surveillance.move_signal": _("Decide on a signal"),
    "surveillance.note_signal": _("Write a note on a signal"),
    "surveillance.share_counts": _("Share counts"),
    "surveillance.set_automatic": _("Switch automatic sharing on or off"),
    "surveillance.share_alert": _("Tell a partner of a signal"),
    "surveillance.withdraw_alert": _("Withdraw an alert"),
    "surveillance.notify_cases": _("Tell of single cases at once"),
    "surveillance.store_partner_counts": _("Store a partner’s counts"),
    "surveillance.decide_partner_counts": _("Accept or decline a partner’s counts"),
    "surveillance.store_partner_alerts": _("Store a partner’s alerts"),
    "surveillance.store_partner_notifications": _("Store a partner’s single cases"),
    "surveillance.store_partner_withdrawals": _("Store a partner’s withdrawals of alerts"),
    "surveillance.take_back_counts": _("Know again which counts a partner was told"),
    "surveillance.take_back_events": _("Know again of which events a partner was told"),
    "surveillance.release_by_hand": _("Release figures by hand"),
    "surveillance.forget_partner": _("Forget what came in deleted envelopes"),
    "surveillance.see_alert": _("See a partner’s alert"),
    "surveillance.look": _("Look at the board"),
    "surveillance.mark_read": _("Mark news as read"),
}
DETAILS: Mapping[str, Promise] = {
    "added": _("rows added"),
    "alerts": _("alerts"),
    "corrected": _("rows corrected"),
    "delays": _("reporting delays"),
    "event": _("event"),
    "events": _("events"),
    "figures": _("figures"),
    "import_id": _("import"),
    "is_on": _("switched on"),
    "narrowed": _("withheld figures that were narrowed down"),
    "notifications": _("notifications"),
    "outdated": _("rows older than what is held"),
    "rejected": _("rows rejected"),
    "released_by_hand": _("released by hand"),
    "repeated": _("repeated"),
    "rows": _("rows"),
    "run": _("run"),
    "sent": _("sent"),
    "series": _("series"),
    "signals": _("signals"),
    "to": _("to"),
    "unchanged": _("rows unchanged"),
    "waiting": _("figures that wait"),
    "withdrawals": _("withdrawals"),
    "withheld": _("figures withheld"),
}
FAULTS: Mapping[str, Promise] = {
    "agreement-not-in-force": _("The agreement is not in force; nothing can be shared under it now."),
    "unknown-signal": _("There is no such signal."),
    "alert-would-tell": _(
        "The figure is withheld under this agreement, and an alert would let the partner work it out. Wait until the "
        "figure may cross, or sign a smaller limit for this disease."
    ),
    "cannot-be-released-by-hand": _(
        "These figures cannot go by hand: one of them is itself withheld from a partner, or nobody can say what could"
        " be worked out. Choose fewer figures, or send the revisions that belong to them first."
    ),
    "broken-table": _("The rows of the table do not fit its heading."),
    "column-missing": _("A column that is needed is missing. Choose it below."),
    "empty-file": _("The file is empty. A table with a row of headings was expected; export it again."),
    "file-too-large": _("The file is too large. Split it."),
    "forbidden-move": _("Somebody else has moved this signal on meanwhile. Look at it again."),
    "import-under-way": _("A file of this source is being taken in right now. Wait until it is done."),
    "mapping-fault": _("The mapping file cannot be used."),
    "no-such-import": _("This import is not running; it was completed or given up meanwhile."),
    "no-such-signal": _("There is no such signal."),
    "no-such-upload": _("This file is no longer kept. Upload it again."),
    "not-a-table": _("The file is no table. CSV or Parquet was expected."),
    "not-held": _(
        "The ledger does not hold one of these figures back any more, or it has changed. Choose again from the list."
    ),
    "note-missing": _("Say why in a sentence."),
    "nothing-to-withdraw": _("No such alert stands under this agreement; it may be withdrawn already."),
    "nothing-waits": _("Nothing waits for a decision here; someone may have decided meanwhile."),
    "unknown-encoding": _("This encoding is not known. Name one such as utf-8, gb18030, windows-1251 or windows-1256."),
    "wrong-encoding": _("The text is not in the chosen encoding. Choose another one."),
}
PARTICULARS = (
    "broken-table",
    "column-missing",
    "file-too-large",
    "mapping-fault",
    "not-a-table",
    "wrong-encoding",
)
"""Faults whose words name a row, a column or a member that their text here does not."""
APPROVALS: Mapping[str, Promise] = {"surveillance.release-by-hand": _("Release figures by hand")}
WORK: Mapping[str, Promise] = {
    "surveillance.detect": _("Look for outbreaks"),
    "surveillance.detect-daily": _("Look for outbreaks, every day"),
    "surveillance.share-automatically": _("Share counts automatically"),
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


def shortfall_text(code: str) -> str:
    """Return why a simpler method judged a series, from the code that detection keeps (`science.Shortfall`)."""
    facts = {name: int(number) for name, _sign, number in (fact.partition("=") for fact in code.split())}
    epochs = facts.pop("of", 0)
    if "history" not in facts:
        return gettext("No count was observed.")
    history = facts.pop("history")
    told = [ngettext("%(count)d period of history.", "%(count)d periods of history.", history) % {"count": history}]
    rest = {
        "missing": gettext("Without a count: %(count)d of %(of)d."),
        "helpless": gettext("Without enough history for any method: %(count)d of %(of)d."),
    }
    judged = gettext("%(method)s judged %(count)d of %(of)d.")
    for name, count in facts.items():
        told.append(rest.get(name, judged) % {"method": named(METHOD_NAMES, name), "count": count, "of": epochs})
    return ("" if language() == "zh-hans" else " ").join(told)


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

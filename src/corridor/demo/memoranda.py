"""The agreements of the demonstration, as sources from which real documents are drafted and signed."""

import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from typing import Any

from corridor.demo.cast import CHINA, NOTIFIABLE, PAKISTAN, RUSSIA, NodePart

SURVEILLANCE = "disease-surveillance"
DAYS_BEFORE = 120
"""The agreements began before the first week that is played."""

Source = dict[str, Any]
Texts = dict[str, bytes]


def pakistan_china(today: date) -> tuple[Source, Texts]:
    """Return the agreement of Pakistan and China on shared surveillance."""
    return _annex("pakistan-china", (PAKISTAN, CHINA), reference="DEMO-PK-CN-1", today=today)


def china_russia(today: date) -> tuple[Source, Texts]:
    """Return the agreement of China and Russia on shared surveillance."""
    return _annex("china-russia", (CHINA, RUSSIA), reference="DEMO-CN-RU-1", today=today)


def emergency(today: date) -> tuple[Source, Texts]:
    """Return the dormant emergency annex of Pakistan and China: daily counts while it is open."""
    source, texts = _annex("emergency", (PAKISTAN, CHINA), reference="DEMO-PK-CN-E", today=today)
    source["channels"] = [_counts("daily-counts", (PAKISTAN, CHINA), clause="E.2", period="day")]
    source["emergency"] = {"dormant": True, "opened_by": "each-party", "open_days": 30}
    return source, texts


def study(today: date) -> tuple[Source, Texts]:
    """Return the agreement of Pakistan and China that opens a joint study."""
    source, texts = _annex("study", (PAKISTAN, CHINA), reference="DEMO-PK-CN-S", today=today, text="study-text")
    opened = (("study", "S.1", "aggregate"), ("care", "S.2", "public"), ("symposium", "S.3", "public"))
    terms = {
        "purpose": "joint-research",
        "place_level": "country",
        "caps": {"envelopes_per_day": 10_000, "persons_per_year": 0},
    }
    source["channels"] = [
        _channel(name, (PAKISTAN, CHINA), clause=clause, message=f"research.{name}/1")
        | terms
        | {"data_class": data_class}
        for name, clause, data_class in opened
    ]
    source["purpose"] = "Answer a question on the patients of two institutions without moving a patient's row."
    source["benefit_sharing"] = "Findings are published together."
    return source, texts


def _annex(
    name: str, parties: Sequence[NodePart], *, reference: str, today: date, text: str = "text"
) -> tuple[Source, Texts]:
    words = _words()
    titles = words[name]
    texts = {language: f"{titles[language]}\n\n{words[text][language]}\n".encode() for language in titles}
    start = datetime.combine(today - timedelta(days=DAYS_BEFORE), time(), UTC)
    source = {
        "instrument": {"title": titles, "date": start.date(), "reference": reference},
        "parties": [
            {
                "node": node.id,
                "country": node.country,
                "legal_entity": node.name,
                "authority": node.authority,
                "mandate": "Demonstration mandate",
            }
            for node in parties
        ],
        "purpose": "Show how two countries see the same rise in the same week.",
        "legal_basis": [{"country": node.country, "basis": node.law} for node in parties],
        "channels": [
            _counts("weekly-counts", parties, clause="4.1", period="week"),
            _totals("alerts", parties, clause="4.2", message="surveillance.alert/1"),
            _totals("alert-withdrawals", parties, clause="4.2", message="surveillance.alert-withdrawal/1"),
            _totals("notifiable-cases", parties, clause="4.3", message="surveillance.case-notification/1"),
        ],
        "places": [{"base_map": "ISO 3166-2 with the districts of the demonstration", "codes": _codes(parties)}],
        "benefit_sharing": "Both sides see the same figures on the same day.",
        "disputes": "By consultation between the competent authorities.",
        "start_at": start,
        "end_at": start + timedelta(days=1096),
    }
    return source, texts


def _channel(name: str, parties: Sequence[NodePart], *, clause: str, message: str) -> Source:
    nodes = [node.id for node in parties]
    return {
        "id": name,
        "clause": clause,
        "from": nodes,
        "to": nodes,
        "message": message,
        "data_class": "aggregate",
        "purpose": SURVEILLANCE,
        "place_level": "admin1",
        "acceptance": "automatic",
    }


def _counts(name: str, parties: Sequence[NodePart], *, clause: str, period: str) -> Source:
    return {**_totals(name, parties, clause=clause, message="surveillance.period-counts/1"), "period": period}


def _totals(name: str, parties: Sequence[NodePart], *, clause: str, message: str) -> Source:
    rules = [
        {"disease": "*", "stratum": "total", "min_cell": 5},
        {"disease": NOTIFIABLE, "stratum": "total", "min_cell": 1},
    ]
    return {**_channel(name, parties, clause=clause, message=message), "disclosure": rules}


def _codes(parties: Sequence[NodePart]) -> list[str]:
    return [f"{node.country}-*" for node in parties]


def _words() -> dict[str, dict[str, str]]:
    return tomllib.loads(resources.files("corridor.demo").joinpath("memoranda.toml").read_text(encoding="utf-8"))

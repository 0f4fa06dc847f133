"""Build agreements for tests: two or three parties, one channel of counts, everything else may be replaced."""

from datetime import UTC, datetime
from typing import Any

from corridor.exchange.rules.agreement import Agreement, draft, read_agreement

START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2028, 1, 1, tzinfo=UTC)
IN_FORCE_AT = datetime(2026, 6, 1, 12, tzinfo=UTC)

PARTIES = {
    "pk.nih": ("PK", "National Institute of Health"),
    "cn.cdc": ("CN", "Centre for Disease Control"),
    "ru.gamma": ("RU", "Institute of Epidemiology"),
}


def channel(**members: Any) -> dict[str, Any]:
    """Return a channel of weekly counts both ways, with `members` replaced (``from_`` for ``from``)."""
    value = {
        "id": "counts",
        "clause": "4.1",
        "from": ["pk.nih", "cn.cdc"],
        "to": ["pk.nih", "cn.cdc"],
        "message": "surveillance.period-counts/1",
        "data_class": "aggregate",
        "purpose": "disease-surveillance",
        "place_level": "admin1",
        "period": "week",
        "disclosure": [
            {"disease": "*", "stratum": "total", "min_cell": 5},
            {"disease": "cholera", "stratum": "total", "min_cell": 1},
        ],
        "caps": {"envelopes_per_day": 100, "persons_per_year": 0},
        "acceptance": "automatic",
    }
    return value | {key.rstrip("_"): member for key, member in members.items()}


def source(*, nodes: tuple[str, ...] = ("pk.nih", "cn.cdc"), **members: Any) -> dict[str, Any]:
    """Return a whole source of an agreement between `nodes`."""
    value = {
        "instrument": {
            "title": {"en": "Memorandum on health", "ur": "صحت پر یادداشت"},
            "date": "2025-12-01",
            "reference": "M-1",
        },
        "parties": [
            {
                "node": node,
                "country": PARTIES[node][0],
                "legal_entity": PARTIES[node][1],
                "authority": "Ministry of Health",
                "mandate": "Order 1",
            }
            for node in nodes
        ],
        "purpose": "Joint surveillance of infectious disease",
        "legal_basis": [{"country": PARTIES[node][0], "basis": "Public health act"} for node in nodes],
        "channels": [channel()],
        "places": [{"base_map": "ISO 3166-2", "codes": ["PK-*", "CN-*"]}],
        "benefit_sharing": "Findings are published together.",
        "start_at": START,
        "end_at": END,
        "disputes": "By consultation.",
    }
    return value | members


def document(**members: Any) -> bytes:
    """Return the canonical bytes of `source`."""
    return draft(source(**members), texts={"en": b"text", "ur": b"matn"})


def agreement(**members: Any) -> Agreement:
    """Return the agreement that `source` makes."""
    return read_agreement(document(**members))

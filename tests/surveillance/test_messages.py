"""The bytes of every message, and what they can never hold."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from corridor.base.disclosure import Cell
from corridor.exchange.messages import MalformedMessage, Message
from corridor.exchange.rules.classes import DataClass
from corridor.pillars.surveillance.messages import (
    MESSAGES,
    Alert,
    AlertWithdrawal,
    CaseNotification,
    CountCell,
    PeriodCounts,
)

GOLDEN = Path(__file__).parent / "golden"
AT = datetime(2026, 6, 1, 8, tzinfo=UTC)
EVENT = "01890a5d-ac96-774b-bcce-b302099a8057"
SAMPLES: tuple[Message, ...] = (
    PeriodCounts(
        disease="measles",
        place_level="admin1",
        period_type="week",
        date_basis="report",
        case_classes=("suspected", "confirmed"),
        as_of=AT,
        simulated=True,
        counts=(
            CountCell(
                place="PK-PB", period_start=date(2026, 5, 18), period_end=date(2026, 5, 25), value=12, revision=2,
                sites_reported=31, sites_expected=40, expected=6.5, limit=11.2,
            ),
            CountCell(
                place="PK-GB", period_start=date(2026, 5, 18), period_end=date(2026, 5, 25), withheld="below-5"
            ),
        ),
    ),
    Alert(
        event=EVENT, revision=1, severity="urgent", text_code="cross-border", disease="cholera", place="PK-GB",
        period_type="week", period_start=date(2026, 5, 18), period_end=date(2026, 5, 25), observed=9, expected=0.5,
        issued_at=AT, simulated=False,
    ),
    AlertWithdrawal(event=EVENT, revision=2, reason_code="not-confirmed", withdrawn_at=AT, simulated=False),
    CaseNotification(
        event=EVENT, disease="cholera", place="PK-GB", reported_on=date(2026, 5, 31), case_class="suspected",
        notified_at=AT, simulated=True,
    ),
)  # fmt: skip


def golden_file(message: Message) -> Path:
    return GOLDEN / f"{message.schema_name}.{message.version}.json"


def test_every_message_has_a_sample() -> None:
    assert {type(message) for message in SAMPLES} == set(MESSAGES)


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: message.schema_id())
def test_the_bytes_of_a_version_never_change(message: Message) -> None:
    assert message.to_bytes() == golden_file(message).read_bytes().removesuffix(b"\n")


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: message.schema_id())
def test_a_message_is_read_back_as_it_was(message: Message) -> None:
    assert type(message).from_bytes(message.to_bytes()) == message


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: message.schema_id())
def test_nothing_above_aggregate_crosses(message: Message) -> None:
    assert message.data_class in (DataClass.PUBLIC, DataClass.AGGREGATE)
    assert message.computed_class().rank <= message.data_class.rank
    assert message.persons() == 0
    assert message.person_identifiers() == []


def test_cells_say_what_is_shown_and_what_is_withheld() -> None:
    counts, _, _, notification = SAMPLES
    week = (date(2026, 5, 18), date(2026, 5, 25))

    assert counts.cells() == [
        Cell("measles", "PK-PB", *week, value=12),
        Cell("measles", "PK-GB", *week, withheld="below-5"),
    ]
    assert notification.cells() == [Cell("cholera", "PK-GB", date(2026, 5, 31), date(2026, 6, 1), value=1)]


@pytest.mark.parametrize(
    "fields",
    [
        {"withheld": "below-5", "value": 3},
        {"withheld": "below-5", "expected": 3.0},
        {"withheld": "because"},
        {"period_end": date(2026, 5, 26)},
        {"place": "Lahore, Mall Road 3"},
        {"revision": 0},
        {"age_years": 7},
        {"case_id": "x"},
    ],
)
def test_a_cell_that_shows_too_much_or_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    cell: dict[str, object] = {"place": "PK-PB", "period_start": date(2026, 5, 18), "period_end": date(2026, 5, 25)}
    with pytest.raises(ValueError):  # noqa: PT011  # pydantic's own error is a ValueError
        PeriodCounts(
            disease="measles", place_level="admin1", period_type="week", date_basis="report", case_classes=(),
            as_of=AT, simulated=False, counts=(CountCell(**{**cell, **fields}),),
        )  # fmt: skip


def test_a_notification_is_of_one_case() -> None:
    data = SAMPLES[3].to_bytes().replace(b'"cases":1', b'"cases":2')

    with pytest.raises(MalformedMessage):
        CaseNotification.from_bytes(data)

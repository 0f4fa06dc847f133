"""What a partner who keeps everything that crossed can work out about figures that were withheld from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from corridor.accounts.actors import System
from corridor.exchange.messages import Message
from corridor.exchange.models import Crossing
from corridor.exchange.rules.canonical import unb64
from corridor.exchange.services.release import PLAIN
from corridor.pillars.surveillance import queries, services, tasks
from corridor.pillars.surveillance.messages import MESSAGES, Alert, CaseNotification, PeriodCounts
from corridor.pillars.surveillance.models import DetectionResult, Signal
from corridor.pillars.surveillance.services import events
from tests.exchange.conftest import make_corridor, postgres, template  # noqa: F401  # fixtures
from tests.exchange.nodes import Corridor
from tests.surveillance.test_sharing import STEWARD, channel, ingest

SQLITE = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)
PK, CN = "pk.nih", "cn.cdc"
K = 5
STRICT = [{"disease": "*", "stratum": "total", "min_cell": K}]
FIRST = date(2020, 12, 28)


def crossed(corridor: Corridor, *, to: str) -> list[Message]:
    """Return every message that a node got, in order, from the bytes that it got."""
    kinds = {kind.schema_id(): kind for kind in MESSAGES}
    found = []
    with corridor[to]:
        rows = Crossing.objects.filter(direction="in", status="accepted").order_by("pk")
        for schema, token in rows.values_list("schema", "token"):
            if schema in kinds:
                body = json.loads(unb64(bytes(token).split(b".")[1].decode()))["body"]
                found.append(kinds[schema].from_bytes(body.encode()))
    return found


def series(values: list[int], *, place: str = "PK-PB", disease: str = "measles") -> list[dict[str, object]]:
    return [
        {"disease": disease, "place": place, "week": str(FIRST + timedelta(weeks=number)), "observed": value}
        for number, value in enumerate(values)
    ]


def share_all(corridor: Corridor, agreement: str, *, disease: str = "measles") -> list[services.Shared]:
    node = corridor[PK]
    with node:
        (view,) = queries.channels(
            actor=STEWARD, schema=PeriodCounts.schema_id(), now=node.now, agreement=agreement[:12]
        )
        found = tasks.share_channel(
            view, first_on=FIRST, end_on=node.now.date(), codes=[disease], actor=STEWARD, now=node.now
        )
    corridor.settle()
    return found


def open_channels(corridor: Corridor, **members: Any) -> str:
    return corridor.sign(
        channels=[
            channel("counts", PeriodCounts.schema_id(), period="week", disclosure=STRICT),
            channel("alerts", Alert.schema_id(), period="week", disclosure=STRICT),
        ],
        **members,
    )


@SQLITE
def test_expectations_and_limits_that_cross_give_no_withheld_week_away(make_corridor: Callable[..., Corridor]) -> None:  # noqa: F811
    corridor = make_corridor(CN, PK)
    agreement = open_channels(corridor)
    weeks = (corridor.now.date() - FIRST).days // 7
    secret = weeks - 56
    truth = [7 + (number * 5) % 4 for number in range(weeks)]
    truth[secret] = 2
    ingest(corridor[PK], series(truth))
    with corridor[PK]:
        tasks.detect_disease("measles", actor=STEWARD, now=corridor.now)
    share_all(corridor, agreement)
    (message,) = crossed(corridor, to=CN)
    assert isinstance(message, PeriodCounts)
    told = {cell.period_start: cell for cell in message.counts}
    assert told[FIRST + timedelta(weeks=secret)].withheld == "below-5"

    # The partner runs the same method on each series that is possible, and compares with what it was told.
    possible = []
    for guess in range(1, K):
        lab = make_corridor(CN, PK)[CN]
        ingest(lab, series([*truth[:secret], guess, *truth[secret + 1 :]]))
        with lab:
            tasks.detect_disease("measles", actor=STEWARD, now=corridor.now)
            rows = DetectionResult.objects.filter(place="PK-PB").values_list("start_on", "expected", "upperbound")
            agrees = all(
                cell.expected in (None, round(expected, 1)) and cell.limit in (None, round(limit, 1))
                for start, expected, limit in rows
                if (cell := told.get(start)) is not None
            )
        if agrees:
            possible.append(guess)
    assert possible == list(range(1, K))


@SQLITE
def test_expectations_and_limits_still_cross_where_nothing_of_the_series_is_withheld(
    make_corridor: Callable[..., Corridor],  # noqa: F811
) -> None:
    corridor = make_corridor(CN, PK)
    agreement = open_channels(corridor)
    weeks = (corridor.now.date() - FIRST).days // 7
    ingest(corridor[PK], series([7 + (number * 5) % 4 for number in range(weeks)]))
    with corridor[PK]:
        tasks.detect_disease("measles", actor=STEWARD, now=corridor.now)
    share_all(corridor, agreement)

    (message,) = crossed(corridor, to=CN)
    assert isinstance(message, PeriodCounts)
    assert sum(cell.limit is not None for cell in message.counts) == 26


def notify(corridor: Corridor, agreement: str) -> list[Any]:
    node = corridor[PK]
    with node:
        (view,) = queries.channels(
            actor=STEWARD, schema=CaseNotification.schema_id(), now=node.now, agreement=agreement[:12]
        )
        return services.notify_cases(channel=view, disease="cholera", actor=STEWARD, now=node.now)


def cases(number: int, *, on: date) -> list[dict[str, object]]:
    return [
        {
            "case_id": str(each),
            "disease": "cholera",
            "place": "PK-GB",
            "report_on": str(on),
            "classification": "confirmed",
        }
        for each in range(number)
    ]


@SQLITE
def test_notifications_of_single_cases_do_not_add_up_to_a_week_that_was_withheld(
    make_corridor: Callable[..., Corridor],  # noqa: F811
) -> None:
    corridor = make_corridor(CN, PK)
    weekly = corridor.sign(channels=[channel("counts", PeriodCounts.schema_id(), period="week", disclosure=STRICT)])
    immediate = corridor.sign(channels=[channel("cases", CaseNotification.schema_id(), period="day")])
    day = corridor.now.date() - timedelta(days=4)
    ingest(corridor[PK], cases(4, on=day), kind="line-list")
    share_all(corridor, weekly, disease="cholera")
    notify(corridor, immediate)
    corridor.settle()

    messages = crossed(corridor, to=CN)
    withheld = [
        cell
        for message in messages
        if isinstance(message, PeriodCounts)
        for cell in message.counts
        if cell.place == "PK-GB" and cell.withheld
    ]
    notified = [message for message in messages if isinstance(message, CaseNotification)]
    assert len(withheld) == 1
    # One notification leaves 1 to 4 possible; a second one would not.
    assert len(notified) == 1


@SQLITE
def test_every_case_is_notified_where_no_figure_of_it_is_withheld(make_corridor: Callable[..., Corridor]) -> None:  # noqa: F811
    corridor = make_corridor(CN, PK)
    immediate = corridor.sign(channels=[channel("cases", CaseNotification.schema_id(), period="day")])
    ingest(corridor[PK], cases(4, on=corridor.now.date() - timedelta(days=4)), kind="line-list")
    assert len(notify(corridor, immediate)) == 4


def alert_of(corridor: Corridor, agreement: str, **members: Any) -> list[Any]:
    node = corridor[PK]
    with node:
        signal = Signal.objects.order_by("-start_on").first()
        (view,) = queries.channels(actor=STEWARD, schema=Alert.schema_id(), now=node.now, agreement=agreement[:12])
        assert signal is not None
        return services.share_alert(
            signal_id=signal.pk, channel=view, text_code="cluster", actor=STEWARD, now=node.now, **members
        )


def quiet_then(corridor: Corridor, last: int) -> None:
    """Let seven quiet weeks be followed by one with `last` cases, and judge them."""
    weeks = (corridor.now.date() - FIRST).days // 7
    values = [0] * 8 + [0, 0, 0, 0, 0, 0, 0, last]
    rows = [
        {
            "disease": "measles",
            "place": "PK-PB",
            "week": str(FIRST + timedelta(weeks=weeks - len(values) + number)),
            "observed": value,
        }
        for number, value in enumerate(values)
    ]
    ingest(corridor[PK], rows)
    with corridor[PK]:
        tasks.detect_disease("measles", method="ears-c1", options={}, actor=STEWARD, now=corridor.now)


@SQLITE
@pytest.mark.parametrize(("upperbound", "crosses"), [(0.7, True), (2.4, False)])
def test_an_alert_on_a_withheld_figure_crosses_only_if_it_says_no_more_than_one_case(
    make_corridor: Callable[..., Corridor],  # noqa: F811
    upperbound: float,
    crosses: bool,
) -> None:
    corridor = make_corridor(CN, PK)
    agreement = open_channels(corridor)
    quiet_then(corridor, 4)
    with corridor[PK]:
        assert Signal.objects.update(expected=0.2, upperbound=upperbound, severity="urgent")
    share_all(corridor, agreement)

    if crosses:
        alert_of(corridor, agreement)
    else:
        with pytest.raises(services.AlertWouldTell):
            alert_of(corridor, agreement)
    corridor.settle()

    alerts = [message for message in crossed(corridor, to=CN) if isinstance(message, Alert)]
    assert [(alert.observed, alert.withheld) for alert in alerts] == ([(None, "below-5")] if crosses else [])
    # "Urgent" would say at least two cases: as loud as one case would be is all that crosses.
    assert [alert.severity for alert in alerts] == (["watch"] if crosses else [])


@SQLITE
def test_figures_that_were_refused_on_the_way_are_news_again(make_corridor: Callable[..., Corridor]) -> None:  # noqa: F811
    from corridor.exchange.services import agreement_acts

    corridor = make_corridor(CN, PK)
    agreement = open_channels(corridor)
    node = corridor[PK]
    weeks = (corridor.now.date() - FIRST).days // 7
    ingest(node, series([9] * weeks)[-4:])
    with node:
        (view,) = queries.channels(actor=STEWARD, schema=PeriodCounts.schema_id(), now=node.now)
        tasks.share_channel(
            view, first_on=FIRST, end_on=node.now.date(), codes=["measles"], actor=STEWARD, now=node.now
        )
        agreement_acts.suspend(agreement, actor=node.person(), now=node.now)
    corridor.settle()
    node.both(lambda person: agreement_acts.ask_to_resume(agreement, actor=person, now=node.now))
    corridor.settle()
    assert crossed(corridor, to=CN) == []

    (again,) = share_all(corridor, agreement)

    assert (again.sent, again.unchanged) == (4, 0)
    (message,) = crossed(corridor, to=CN)
    assert isinstance(message, PeriodCounts)
    assert {cell.revision for cell in message.counts} == {2}


@SQLITE
def test_a_figure_that_says_nothing_opens_no_place_and_no_stratum_either(
    make_corridor: Callable[..., Corridor],  # noqa: F811
) -> None:
    from django.db import transaction

    from corridor.exchange.services import send
    from corridor.pillars.surveillance.messages import CountCell

    corridor = make_corridor(CN, PK)
    agreement = open_channels(corridor)
    node = corridor[PK]

    def offer(message: Message, channel_id: str) -> str:
        with node, transaction.atomic():
            crossing = send(message, to=CN, agreement=agreement, channel=channel_id, actor=System("t"), now=node.now)
            return crossing.reason or crossing.status

    def counts(**members: Any) -> PeriodCounts:
        start = date(2026, 5, 18)
        cell = CountCell(period_start=start, period_end=start + timedelta(days=7), **members)
        return PeriodCounts(
            disease="measles", place_level="admin1", period_type="week", date_basis="report", case_classes=(),
            as_of=node.now, simulated=True, counts=(cell,),
        )  # fmt: skip

    def alert(place: str) -> Alert:
        start = date(2026, 5, 18)
        return Alert(
            event="01890a5d-ac96-774b-bcce-b302099a8057", revision=1, severity="watch", text_code="cluster",
            disease="measles", place=place, period_type="week", period_start=start,
            period_end=start + timedelta(days=7), issued_at=node.now, simulated=True,
        )  # fmt: skip

    assert offer(counts(place="PK-PB"), "counts") == "queued"
    assert offer(counts(place="RU-MOW"), "counts") == "place_closed"
    assert offer(counts(place="CN-XJ"), "counts") == "onward_transfer"
    assert offer(counts(place="PK-PB", stratum="age-sex:0-4:f"), "counts") == "stratum_closed"
    assert offer(alert("PK-PB"), "alerts") == "queued"
    assert offer(alert("RU-MOW"), "alerts") == "place_closed"
    with pytest.raises(ValueError, match="expectation"):
        counts(place="PK-PB", expected=3.0)


@SQLITE
@pytest.mark.parametrize("is_kept", [True, False])
def test_what_an_alert_without_its_figure_says_is_kept_for_the_total_that_comes_later(
    make_corridor: Callable[..., Corridor],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    is_kept: bool,
) -> None:
    corridor = make_corridor(CN, PK)
    alerts = corridor.sign(
        channels=[channel("alerts", Alert.schema_id(), period="week", disclosure=[], place_level="admin1")]
    )
    provinces, country = (
        corridor.sign(
            channels=[channel(level, PeriodCounts.schema_id(), period="week", place_level=level, disclosure=STRICT)]
        )
        for level in ("admin1", "country")
    )
    week = corridor.now.date() - timedelta(days=7)
    small = {"disease": "measles", "place": "PK-GB", "week": str(week - timedelta(days=week.weekday())), "observed": 3}
    ingest(corridor[PK], [small])
    share_all(corridor, provinces)
    quiet_then(corridor, 9)
    with corridor[PK]:
        assert Signal.objects.update(expected=2.0, upperbound=8.3, severity="watch")
    if not is_kept:
        # The guard taken away: the ledger judges the alert and forgets what it said.
        monkeypatch.setattr(events.exchange, "Terms", lambda says: PLAIN)
    assert len(alert_of(corridor, alerts)) == 1
    corridor.settle()
    share_all(corridor, country)

    messages = crossed(corridor, to=CN)
    (alert,) = (message for message in messages if isinstance(message, Alert))
    assert (alert.observed, alert.withheld) == (None, "")
    told = {
        (cell.place, cell.withheld, cell.value)
        for message in messages
        if isinstance(message, PeriodCounts)
        for cell in message.counts
    }
    assert ("PK-GB", "below-5", None) in told
    # At least nine of twelve in one province leave at most three, and not four, to the other.
    assert (("PK", "", 12) in told) is not is_kept

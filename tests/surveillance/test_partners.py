"""What partners send: revisions in any order, previews, alerts and withdrawals."""

from __future__ import annotations

import itertools
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from corridor.accounts.actors import Peer
from corridor.accounts.models import Person
from corridor.exchange import registry
from corridor.exchange.messages import Message
from corridor.exchange.registry import ChannelView, Received
from corridor.pillars.surveillance import handlers, queries, services
from corridor.pillars.surveillance.messages import Alert, AlertWithdrawal, CaseNotification, CountCell, PeriodCounts
from corridor.pillars.surveillance.models import PartnerAlert, PartnerCount
from tests.surveillance.conftest import NOW

WEEK = (date(2026, 5, 18), date(2026, 5, 25))
EVENT = "01890a5d-ac96-774b-bcce-b302099a8057"
PEER = Peer("cn.cdc")
numbers = itertools.count(1)


def received(message: Message, *, acceptance: str = "automatic") -> Received:
    number = next(numbers)
    channel = ChannelView(agreement="a" * 64, title="Test", channel={"id": "counts", "acceptance": acceptance})
    return Received(
        message=message, header=None, envelope_id=f"envelope-{number}", from_node="cn.cdc", agreement="a" * 64,
        channel=channel, token_hash="", crossing_id=number,
    )  # fmt: skip


def counts(value: int | None, *, revision: int = 1, place: str = "CN-XJ", **fields: Any) -> PeriodCounts:
    cell = CountCell(
        place=place, period_start=WEEK[0], period_end=WEEK[1], value=value, revision=revision,
        withheld="" if value is not None else "below-5",
    )  # fmt: skip
    return PeriodCounts(
        disease="measles", place_level="admin1", period_type="week", date_basis="report", case_classes=(),
        as_of=fields.get("as_of", NOW), simulated=True, counts=(cell,),
    )  # fmt: skip


def alert(revision: int = 1, *, observed: int | None = 9) -> Alert:
    return Alert(
        event=EVENT, revision=revision, severity="urgent", text_code="cluster", disease="cholera", place="CN-XJ",
        period_type="week", period_start=WEEK[0], period_end=WEEK[1], observed=observed, issued_at=NOW, simulated=True,
    )  # fmt: skip


def withdrawal(revision: int = 2) -> AlertWithdrawal:
    return AlertWithdrawal(
        event=EVENT, revision=revision, reason_code="reporting-error", withdrawn_at=NOW, simulated=True
    )


def shown(person: Person) -> list[tuple[str, int | None, str, int]]:
    frame = queries.partner_counts(actor=person, disease="measles", period="week", first_on=date(2026, 1, 1))
    return list(frame.select("place", "value", "withheld", "revision").iter_rows())


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
@pytest.mark.parametrize("at_once", [True, False], ids=["one batch", "one by one"])
def test_the_highest_revision_holds_whatever_the_order_of_arrival(
    epidemiologist: Person, order: tuple[int, ...], at_once: bool
) -> None:
    messages = {1: counts(7, revision=1), 2: counts(None, revision=2), 3: counts(11, revision=3)}
    batch = [received(messages[revision]) for revision in order]
    for part in [batch] if at_once else [[each] for each in batch]:
        handlers.counts_arrived(part, actor=PEER, now=NOW)

    assert shown(epidemiologist) == [("CN-XJ", 11, "", 3)]
    assert PartnerCount.objects.count() == 3
    assert PartnerCount.objects.filter(is_current=True).count() == 1


def test_a_repeated_figure_changes_nothing(epidemiologist: Person) -> None:
    handlers.counts_arrived([received(counts(7)), received(counts(7))], actor=PEER, now=NOW)
    handlers.counts_arrived([received(counts(9))], actor=PEER, now=NOW)

    assert shown(epidemiologist) == [("CN-XJ", 7, "", 1)]


def test_a_withheld_figure_is_withheld_and_neither_zero_nor_missing(epidemiologist: Person) -> None:
    handlers.counts_arrived([received(counts(None)), received(counts(0, place="CN-GS"))], actor=PEER, now=NOW)

    assert shown(epidemiologist) == [("CN-GS", 0, "", 1), ("CN-XJ", None, "below-5", 1)]


def test_figures_of_a_preview_channel_wait_for_a_person(epidemiologist: Person) -> None:
    handlers.counts_arrived([received(counts(7))], actor=PEER, now=NOW)
    waiting = received(counts(8, revision=2), acceptance="preview")
    handlers.counts_arrived([waiting], actor=PEER, now=NOW)

    assert shown(epidemiologist) == [("CN-XJ", 7, "", 1)]
    board = queries.board(actor=epidemiologist, now=NOW)
    assert [(each.envelope, each.figures) for each in board.waiting] == [(waiting.envelope_id, 1)]

    services.decide_counts(envelope=waiting.envelope_id, accept=True, actor=epidemiologist, now=NOW)
    assert shown(epidemiologist) == [("CN-XJ", 8, "", 2)]
    with pytest.raises(services.NothingWaits):
        services.decide_counts(envelope=waiting.envelope_id, accept=False, actor=epidemiologist, now=NOW)


def test_what_is_accepted_late_does_not_replace_a_later_revision(epidemiologist: Person) -> None:
    waiting = received(counts(8, revision=2), acceptance="preview")
    handlers.counts_arrived([waiting], actor=PEER, now=NOW)
    handlers.counts_arrived([received(counts(9, revision=3))], actor=PEER, now=NOW)
    services.decide_counts(envelope=waiting.envelope_id, accept=True, actor=epidemiologist, now=NOW)

    assert shown(epidemiologist) == [("CN-XJ", 9, "", 3)]


def test_declined_figures_are_not_shown(epidemiologist: Person) -> None:
    waiting = received(counts(8), acceptance="preview")
    handlers.counts_arrived([waiting], actor=PEER, now=NOW)
    services.decide_counts(envelope=waiting.envelope_id, accept=False, actor=epidemiologist, now=NOW)

    assert shown(epidemiologist) == []


@pytest.mark.parametrize("early", [True, False], ids=["withdrawal first", "alert first"])
def test_a_withdrawn_alert_stays_visible_as_withdrawn(epidemiologist: Person, early: bool) -> None:
    def send_alert() -> None:
        handlers.alerts_arrived([received(alert())], actor=PEER, now=NOW)

    def send_withdrawal() -> None:
        handlers.withdrawals_arrived([received(withdrawal())], actor=PEER, now=NOW)

    for step in (send_withdrawal, send_alert) if early else (send_alert, send_withdrawal):
        step()
    (found,) = queries.partner_alerts(actor=epidemiologist)

    assert (found.disease, found.observed, found.withdrawal_code, found.withdrawn_at) == (
        "cholera", 9, "reporting-error", NOW,
    )  # fmt: skip
    assert queries.partner_alerts(actor=epidemiologist, only_unseen=True) == []


def test_a_revised_alert_replaces_the_earlier_one_and_an_older_one_nothing(epidemiologist: Person) -> None:
    handlers.alerts_arrived([received(alert(2, observed=14))], actor=PEER, now=NOW)
    handlers.alerts_arrived([received(alert(1))], actor=PEER, now=NOW)

    assert PartnerAlert.objects.count() == 1
    assert queries.partner_alerts(actor=epidemiologist)[0].observed == 14


def test_a_notified_case_asks_for_attention_until_someone_has_seen_it(epidemiologist: Person) -> None:
    message = CaseNotification(
        event=EVENT, disease="cholera", place="CN-XJ", reported_on=WEEK[0], case_class="suspected", notified_at=NOW,
        simulated=True,
    )  # fmt: skip
    handlers.notifications_arrived([received(message)], actor=PEER, now=NOW)
    (found,) = queries.partner_alerts(actor=epidemiologist, only_unseen=True)
    services.see_alert(alert_id=found.id, actor=epidemiologist, now=NOW)

    assert (found.severity, found.observed, found.place) == ("urgent", 1, "CN-XJ")
    assert queries.partner_alerts(actor=epidemiologist, only_unseen=True) == []


def test_the_board_says_how_fresh_a_partner_is(epidemiologist: Person) -> None:
    as_of: datetime = NOW - timedelta(days=2)
    handlers.counts_arrived([received(counts(7, as_of=as_of))], actor=PEER, now=NOW)
    (fresh,) = queries.board(actor=epidemiologist, now=NOW).freshness

    assert (fresh.from_node, fresh.as_of, fresh.received_at, fresh.last_start_on) == ("cn.cdc", as_of, NOW, WEEK[0])


def test_figures_and_alerts_of_a_deleted_envelope_are_forgotten_and_no_older_revision_rises_again(
    epidemiologist: Person,
) -> None:
    first, second = received(counts(7)), received(counts(9, revision=2))
    other, told = received(counts(5, place="CN-BJ")), received(alert())
    handlers.counts_arrived([first, second, other], actor=PEER, now=NOW)
    handlers.alerts_arrived([told], actor=PEER, now=NOW)

    gone = handlers.bodies_deleted([second.crossing_id or 0, told.crossing_id or 0], actor=PEER, now=NOW)

    assert gone == 2
    assert shown(epidemiologist) == [("CN-BJ", 5, "", 1)]
    assert not PartnerAlert.objects.exists()


def test_whoever_takes_messages_of_an_agreement_can_forget_them() -> None:
    kept = [
        schema
        for schema in registry.schemas()
        if not schema.startswith("test.") and (taken := registry.registration(schema)) and not taken.is_control
        if taken.forget is None
    ]
    assert "surveillance.alert/1" in registry.schemas()
    assert kept == []

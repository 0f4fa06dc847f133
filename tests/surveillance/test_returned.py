"""After a restore partners return what they were told: revisions go on, and no figure leaves before that."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction

from corridor.accounts.actors import System
from corridor.exchange import services as exchange
from corridor.exchange.models import Crossing
from corridor.exchange.registry import Received
from corridor.exchange.rules.envelope import unpack
from corridor.exchange.services import restore
from corridor.exchange.services.partners import every_transport_key
from corridor.jobs.worker import run_due
from corridor.pillars.surveillance import queries, services, tasks
from corridor.pillars.surveillance.messages import Alert, CaseNotification, PeriodCounts
from corridor.pillars.surveillance.models import PartnerAlert, SentAlert, SharedCount, Signal
from tests.exchange.conftest import make_corridor, postgres, template  # noqa: F401  # fixtures
from tests.exchange.nodes import Corridor, Node
from tests.surveillance.test_sharing import CHANNELS, FIRST, ingest, seen, share, weekly

STEWARD = System("test")
PK, CN = "pk.nih", "cn.cdc"
SECOND_WEEK = FIRST + timedelta(weeks=1)

pytestmark = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)


@pytest.fixture
def signed(make_corridor: Callable[..., Corridor]) -> tuple[Corridor, str]:  # noqa: F811  # the fixture
    corridor = make_corridor(CN, PK)
    return corridor, corridor.sign(channels=CHANNELS)


def copy(node: Node, target: Path) -> Path:
    with node, sqlite3.connect(target) as into:
        connection.ensure_connection()
        connection.connection.backup(into)
    into.close()
    return target


def put_back(node: Node, source: Path) -> None:
    with node, sqlite3.connect(source) as old:
        connection.ensure_connection()
        old.backup(connection.connection)
    old.close()
    with node:
        restore.mark_put_back(now=node.now)


def open_epoch(corridor: Corridor, node: Node) -> None:
    """Let the node find out that it lost something, and two persons open a new epoch of it."""
    node.deliver()
    node.both(lambda person: restore.ask_to_open_epoch(actor=person, now=node.now))
    corridor.settle()


def welcome(corridor: Corridor, by: str, back: str = PK) -> None:
    with corridor[by] as node:
        restore.confirm_restore(back, actor=node.person(), now=node.now)
    corridor.settle()


@pytest.mark.parametrize("is_taken_back", [True, False])
def test_a_correction_after_a_restore_replaces_the_figure_that_the_partner_holds(
    signed: tuple[Corridor, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_taken_back: bool
) -> None:
    corridor, agreement = signed
    pakistan, rows = corridor[PK], {"PK-PB": [12, 6, 7, 30]}
    ingest(pakistan, weekly(rows))
    share(pakistan, agreement)
    corridor.settle()
    old = copy(pakistan, tmp_path / "backup.db")
    for value in (8, 9):
        corridor.advance(hours=1)
        ingest(pakistan, weekly({"PK-PB": [12, value, 7, 30]}))
        share(pakistan, agreement)
        corridor.settle()
    assert seen(corridor[CN])["PK-PB", SECOND_WEEK] == (9, "", 3)

    if not is_taken_back:
        monkeypatch.setattr(services, "take_back_counts", lambda *args, **options: 0)
    put_back(pakistan, old)
    open_epoch(corridor, pakistan)
    welcome(corridor, CN)
    corridor.advance(hours=1)
    ingest(pakistan, weekly({"PK-PB": [12, 10, 7, 30]}))
    result = share(pakistan, agreement)
    corridor.settle()

    assert result.sent == 1
    # Without the return of what was sent the correction is a second revision, older than the one that is held.
    assert seen(corridor[CN])["PK-PB", SECOND_WEEK] == ((10, "", 4) if is_taken_back else (9, "", 3))


def test_a_later_revision_that_is_known_is_not_overtaken_by_a_returned_one(signed: tuple[Corridor, str]) -> None:
    corridor, agreement = signed
    pakistan = corridor[PK]
    for value in (6, 8):
        corridor.advance(hours=1)
        ingest(pakistan, weekly({"PK-PB": [12, value, 7, 30]}))
        share(pakistan, agreement)
    with pakistan, transaction.atomic():
        first = Crossing.objects.filter(schema=PeriodCounts.schema_id()).earliest("pk")
        unpacked = unpack(bytes(first.token), keys=every_transport_key(PK))
        returned = Received(
            message=PeriodCounts.from_bytes(unpacked.body or b""),
            header=unpacked.header,
            envelope_id=first.envelope_id,
            from_node=PK,
            agreement=agreement,
            channel=None,
            token_hash=first.token_hash,
            crossing_id=first.pk,
        )
        assert services.take_back_counts([returned], actor=STEWARD, now=pakistan.now) == 0
        assert SharedCount.objects.get(place="PK-PB", start_on=SECOND_WEEK).revision == 2


def alert_of(node: Node) -> SentAlert:
    """Detect, and tell the partners of the one signal."""
    with node:
        tasks.detect_disease("measles", actor=STEWARD, now=node.now)
        (signal, *_), _ = queries.signals(actor=STEWARD)
        (channel,) = queries.channels(actor=STEWARD, schema=Alert.schema_id(), now=node.now)
        (sent,) = services.share_alert(
            signal_id=signal.id, channel=channel, text_code="cluster", actor=STEWARD, now=node.now
        )
        return sent


@pytest.mark.parametrize("is_detected_before_the_return", [True, False])
def test_an_alert_that_was_lost_is_revised_under_its_event_whenever_the_signal_is_found_again(
    signed: tuple[Corridor, str], tmp_path: Path, is_detected_before_the_return: bool
) -> None:
    corridor, _ = signed
    pakistan, china = corridor[PK], corridor[CN]
    old = copy(pakistan, tmp_path / "backup.db")
    corridor.advance(days=60)
    rows = weekly({"PK-PB": [5, 6, 7, 5, 6, 5, 7, 6, 5, 6, 61]})
    ingest(pakistan, rows)
    first = alert_of(pakistan)
    corridor.settle()

    put_back(pakistan, old)
    ingest(pakistan, rows)
    if is_detected_before_the_return:
        with pakistan:
            tasks.detect_disease("measles", actor=STEWARD, now=pakistan.now)
            assert Signal.objects.get().event != first.event
    open_epoch(corridor, pakistan)
    welcome(corridor, CN)
    second = alert_of(pakistan)
    corridor.settle()

    assert (second.event, second.revision) == (first.event, 2)
    with china:
        assert PartnerAlert.objects.get().revision == 2


def test_counts_alerts_and_cases_wait_for_the_return_and_say_for_whom(
    signed: tuple[Corridor, str], tmp_path: Path
) -> None:
    corridor, agreement = signed
    pakistan = corridor[PK]
    old = copy(pakistan, tmp_path / "backup.db")
    rows = weekly({"PK-PB": [12, 6, 7, 30]})
    ingest(pakistan, rows)
    share(pakistan, agreement)
    corridor.settle()
    put_back(pakistan, old)
    ingest(pakistan, rows)
    open_epoch(corridor, pakistan)
    assert (share(pakistan, agreement).sent, share(pakistan, agreement).waiting) == (0, 4)
    with pakistan:
        services.set_automatic(agreement=agreement, channel="cases", is_on=True, actor=STEWARD, now=pakistan.now)
        services.set_automatic(agreement=agreement, channel="counts", is_on=True, actor=STEWARD, now=pakistan.now)
        (cases,) = queries.channels(actor=STEWARD, schema=CaseNotification.schema_id(), now=pakistan.now)
        with pytest.raises(exchange.ReturnsOwed, match=CN):
            services.notify_cases(channel=cases, disease="cholera", actor=STEWARD, now=pakistan.now)
        tasks.detect_disease("measles", actor=STEWARD, now=pakistan.now)
        assert not Crossing.objects.filter(status="refused").exists()

    welcome(corridor, CN)
    with pakistan:
        assert run_due(now=pakistan.now)
    result = share(pakistan, agreement)
    assert (result.waiting, result.unchanged) == (0, 4)

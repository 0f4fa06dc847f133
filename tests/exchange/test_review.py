"""What a reviewer who trusted nothing tried against the exchange: each was open once, or had no test."""

from __future__ import annotations

import sqlite3
import threading
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from django.db import connection, transaction

from corridor.accounts.actors import System
from corridor.exchange.messages import Message, field_class
from corridor.exchange.models import Crossing, KeyRevocation, LogTree, OutboxEntry, Partner, ReleasedCell
from corridor.exchange.registry import register_message
from corridor.exchange.rules.card import fingerprint, make_reinstatement, make_revocation, read_revocation
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.evidence import verify
from corridor.exchange.services import agreement_acts, partners, proofs, restore, rotation, send
from tests.exchange.nodes import Corridor, Node, store_effects, using, wrapper_of
from tests.exchange.test_agreement_limits import FILING, TOTALS, Records, Table, channel, figures, share

PK, CN = "pk.nih", "cn.cdc"
SQLITE = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)
POSTGRES = pytest.mark.parametrize(
    "make_corridor", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


class Dossier(Message):
    """A personal text about one person, for tests; it travels sealed."""

    schema_name: ClassVar[str] = "test.dossier"
    data_class: ClassVar[DataClass] = DataClass.PERSONAL
    value: Annotated[int, field_class(DataClass.PUBLIC)] = 1
    text: Annotated[str, field_class(DataClass.PERSONAL)]

    def persons(self) -> int:
        return 1


@pytest.fixture(autouse=True)
def _announced() -> None:
    for kind in (Records, Table, Dossier):
        register_message(kind, handler=store_effects)


def starting_in_an_hour(corridor: Corridor) -> dict[str, Any]:
    return {"start_at": corridor.now + timedelta(hours=1)}


@SQLITE
def test_what_is_queued_before_the_start_meets_the_ledger_all_the_same(corridor: Corridor) -> None:
    agreement = corridor.sign(
        channels=channel(corridor, Table, disclosure=list(TOTALS)), **starting_in_an_hour(corridor)
    )
    pakistan = corridor[PK]

    split = share(pakistan, Table(rows=("PK-SD", "PK-PB"), values=(None, 20)), to=CN, agreement=agreement)
    total = share(pakistan, Table(rows=("PK",), values=(22,)), to=CN, agreement=agreement)

    assert split.status == "queued"
    assert (total.status, total.reason) == ("refused", "ledger_waits")


@SQLITE
def test_what_is_queued_before_the_start_meets_the_caps_all_the_same(corridor: Corridor) -> None:
    caps = {"envelopes_per_day": 2, "persons_per_year": 3}
    opened = channel(corridor, Records, data_class="deidentified", disclosure=[], caps=caps, filing=FILING)
    agreement = corridor.sign(channels=opened, **starting_in_an_hour(corridor))

    many = share(corridor[CN], Records(names=("a", "b", "c", "d")), to=PK, agreement=agreement)
    few = [share(corridor[CN], Records(names=("a",)), to=PK, agreement=agreement) for _ in range(3)]

    assert (many.status, many.reason) == ("refused", "person_cap")
    assert [(each.status, each.reason) for each in few] == [("queued", "")] * 3
    corridor.advance(hours=2)
    corridor[CN].deliver()
    assert len(corridor[PK].effects()) == 2


@SQLITE
def test_what_waits_for_the_start_holds_up_nothing_behind_it(corridor: Corridor) -> None:
    early, running = corridor.sign(**starting_in_an_hour(corridor)), corridor.sign()
    pakistan = corridor[PK]
    for number in range(100):
        pakistan.send(number + 10, to=CN, agreement=early)
    pakistan.send(7, to=CN, agreement=running)

    pakistan.deliver()
    corridor.advance(minutes=1)
    pakistan.deliver()

    assert [value for _, value in corridor[CN].effects()] == [7]
    with pakistan:
        assert not OutboxEntry.objects.filter(due_at__lte=pakistan.now).exists()
    corridor.advance(hours=2)
    corridor.settle()
    assert len(corridor[CN].effects()) == 101


@SQLITE
def test_an_envelope_withdrawn_when_it_was_claimed_is_proved_as_a_refusal(corridor: Corridor) -> None:
    agreement = corridor.sign()
    pakistan = corridor[PK]
    crossing = pakistan.send(7, to=CN, agreement=agreement)
    with pakistan:
        agreement_acts.suspend(agreement, actor=pakistan.person(), now=pakistan.now)
    pakistan.deliver()
    with pakistan:
        assert Crossing.objects.get(pk=crossing.pk).reason == "suspended"
        evidence = proofs.prove(crossing.envelope_id, actor=pakistan.person("eye"), now=pakistan.now)
        trust = {node.id: _print(node) for node in corridor}

    verdict = verify(evidence, trust)

    assert (verdict.status, verdict.reasons) == ("authentic", ())
    assert any("withdrawn" in finding for finding in verdict.findings)


def _print(node: Node) -> str:
    with node:
        return fingerprint(partners.own_chain()[-1])


@SQLITE
def test_a_key_that_was_reinstated_can_be_revoked_again(corridor: Corridor) -> None:
    pakistan, china = corridor[PK], corridor[CN]
    with pakistan:
        card = partners.own_chain()[-1]
        first = make_revocation(card, key=pakistan.recovery, at=pakistan.now, reason="lost")
        back = make_reinstatement(
            read_revocation(first, card), card=card, recovery_key=pakistan.recovery, at=pakistan.now
        )
        again = make_revocation(card, key=pakistan.recovery, at=pakistan.now + timedelta(hours=1), reason="stolen")
    with china, transaction.atomic():
        for document in (first, back, again):
            partners.record_revocation(document, node_id=PK, now=china.now)

        assert Partner.objects.get(node_id=PK).state == "revoked"
        assert partners.transport_keys(PK) == {}
        partners.record_revocation(first, node_id=PK, now=china.now)
        assert KeyRevocation.objects.filter(node_id=PK).count() == 2


@SQLITE
def test_an_old_revocation_shown_again_undoes_no_reinstatement(corridor: Corridor) -> None:
    pakistan, china = corridor[PK], corridor[CN]
    with pakistan:
        card = partners.own_chain()[-1]
        first = make_revocation(card, key=pakistan.recovery, at=pakistan.now, reason="lost")
        back = make_reinstatement(
            read_revocation(first, card), card=card, recovery_key=pakistan.recovery, at=pakistan.now
        )
    with china, transaction.atomic():
        for document in (first, back, first):
            partners.record_revocation(document, node_id=PK, now=china.now)

        assert Partner.objects.get(node_id=PK).state == "pinned"


@SQLITE
def test_if_the_audit_trail_cannot_be_written_nothing_is_sent_or_accepted(corridor: Corridor) -> None:
    agreement = corridor.sign()
    corridor[PK].send(7, to=CN, agreement=agreement)
    for node in (corridor[CN], corridor[PK]):
        with node, connection.cursor() as cursor:
            cursor.execute(
                "CREATE TRIGGER full BEFORE INSERT ON accounts_auditentry BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
        if node.id == CN:
            report = corridor[PK].deliver()
            assert report.failed == [CN]
            assert node.effects() == []
            assert node.crossings(schema="test.figure/1") == []
            corridor.advance(hours=2)
    with corridor[PK] as node, pytest.raises(Exception, match="full"):
        agreement_acts.suspend(agreement, actor=node.person(), now=node.now)
    with corridor[PK] as node, connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER full")
    with corridor[CN] as node, connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER full")
    corridor.settle()
    assert [value for _, value in corridor[CN].effects()] == [7]


@SQLITE
def test_a_sealed_envelope_that_was_on_its_way_opens_after_the_key_was_rotated(corridor: Corridor) -> None:
    opened = channel(
        corridor, Dossier, data_class="personal", disclosure=[], filing=FILING,
        caps={"envelopes_per_day": 10, "persons_per_year": 10},
    )  # fmt: skip
    agreement = corridor.sign(channels=opened)
    share(corridor[CN], Dossier(text="of one person"), to=PK, agreement=agreement)
    with corridor[PK] as node:
        rotation.rotate(
            names=["encryption"], recovery=node.recovery, home=node.home, actor=System("test"), now=node.now
        )

    corridor.settle()

    assert len(corridor[PK].effects()) == 1


@POSTGRES
def test_two_agreements_at_once_cannot_release_past_each_other(corridor: Corridor) -> None:
    one, two = figures(corridor), figures(corridor, clause="4.9")
    node = corridor[PK]
    second: list[Crossing] = []

    def beside() -> None:
        other = wrapper_of(node.wrapper.settings_dict)
        with using(other):
            try:
                with transaction.atomic():
                    second.append(
                        send(
                            Table(rows=("PK",), values=(22,)),
                            to=CN, agreement=two, channel="test", actor=System("test"), now=corridor.now,
                        )
                    )  # fmt: skip
            finally:
                other.close()

    with node:
        with transaction.atomic():
            send(
                Table(rows=("PK-SD", "PK-PB"), values=(None, 20)),
                to=CN, agreement=one, channel="test", actor=System("test"), now=corridor.now,
            )  # fmt: skip
            thread = threading.Thread(target=beside, daemon=True)
            thread.start()
            thread.join(1.0)
        thread.join(20)
        assert [(each.status, each.reason) for each in second] == [("refused", "ledger_waits")]


@SQLITE
def test_what_was_released_in_the_gap_of_a_restore_is_in_the_ledger_again(corridor: Corridor, tmp_path: Path) -> None:
    agreement = figures(corridor)
    node, copy = corridor[PK], tmp_path / "backup.db"
    _copy(node, copy)
    corridor.advance(days=1)
    share(node, Table(rows=("PK-SD", "PK-PB"), values=(None, 20)), to=CN, agreement=agreement)
    corridor.settle()
    _put_back(node, copy)
    node.deliver()
    node.both(lambda person: restore.ask_to_open_epoch(actor=person, now=corridor.now))
    corridor.settle()
    with corridor[CN] as china:
        restore.confirm_restore(PK, actor=china.person(), now=corridor.now)
    corridor.settle()

    with node:
        assert ReleasedCell.objects.count() == 2
    total = share(node, Table(rows=("PK",), values=(22,)), to=CN, agreement=agreement)
    assert (total.status, total.reason) == ("refused", "ledger_waits")


def _copy(node: Node, target: Path) -> None:
    with node, sqlite3.connect(target) as into:
        connection.ensure_connection()
        connection.connection.backup(into)
    into.close()


def _put_back(node: Node, source: Path) -> None:
    with node, sqlite3.connect(source) as old:
        connection.ensure_connection()
        old.backup(connection.connection)
    old.close()
    with node:
        restore.start(now=node.now)


@SQLITE
def test_no_checkpoint_is_signed_for_evidence_before_a_restored_node_knows_what_partners_hold(
    corridor: Corridor, tmp_path: Path
) -> None:
    agreement = corridor.sign()
    node, copy = corridor[PK], tmp_path / "backup.db"
    crossing = node.send(7, to=CN, agreement=agreement)
    _copy(node, copy)
    corridor.settle()
    _put_back(node, copy)

    with node:
        before = list(LogTree.objects.order_by("pk").values_list("signed_size", flat=True))
        with pytest.raises(proofs.PartnerNotHeard):
            proofs.prove(crossing.envelope_id, actor=node.person("eye"), now=node.now)
        assert list(LogTree.objects.order_by("pk").values_list("signed_size", flat=True)) == before


@SQLITE
def test_an_agreement_of_a_partner_whose_dispute_is_open_halts_and_goes_on_after_it_is_closed(
    corridor: Corridor,
) -> None:
    from corridor.exchange.models import Dispute
    from corridor.exchange.services import disputes

    agreement = corridor.sign()
    node = corridor[PK]
    with node, transaction.atomic():
        from corridor.exchange.services import swaps

        swaps.open_dispute(CN, None, origin="x", agreement_hash=agreement, now=node.now, finding="a test")
        number = Dispute.objects.get().pk
    assert node.send(7, to=CN, agreement=agreement).reason == "dispute"
    node.both(lambda person: disputes.ask_to_close(number, closing_note="looked at", actor=person, now=node.now))
    assert node.send(7, to=CN, agreement=agreement).status == "queued"

"""Agreements between nodes: signed by two persons at each side, halted at once, amended, opened in an emergency."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from corridor.accounts.approvals import SamePerson, approve
from corridor.accounts.roles import NotPermitted
from corridor.exchange.models import Agreement, AgreementStatement, Crossing
from corridor.exchange.queries import agreements as queries
from corridor.exchange.rules.agreement import ForbiddenTransition, Kind, State
from corridor.exchange.services import agreement_acts as acts
from corridor.exchange.services import agreements
from tests.exchange.nodes import Corridor, Node

EMERGENCY = {"dormant": True, "opened_by": "each-party", "open_days": 30}


def state(node: Node, agreement: str) -> State:
    with node:
        return queries.agreement(node.person("eye"), agreement, now=node.now).state


def states(corridor: Corridor, agreement: str) -> set[State]:
    return {state(node, agreement) for node in corridor}


def suspend(node: Node, agreement: str) -> None:
    with node:
        acts.suspend(agreement, actor=node.person(), now=node.now)


def resume(node: Node, agreement: str) -> None:
    node.both(lambda person: acts.ask_to_resume(agreement, actor=person, now=node.now))


def test_one_signature_opens_nothing_and_all_signatures_do(corridor: Corridor) -> None:
    pakistan, china = corridor["pk.nih"], corridor["cn.cdc"]
    with pakistan:
        row = acts.draft_agreement(corridor.source(), texts={"en": b"t"}, actor=pakistan.person(), now=pakistan.now)
        acts.propose(row.hash, actor=pakistan.person(), now=pakistan.now)
    corridor.settle()
    assert states(corridor, row.hash) == {State.PROPOSED}

    pakistan.both(lambda person: acts.ask_to_sign(row.hash, actor=person, now=pakistan.now))
    corridor.settle()
    assert states(corridor, row.hash) == {State.SIGNED_BY_SOME}
    assert pakistan.send(9, to="cn.cdc", agreement=row.hash).reason == "not_signed_by_all"

    china.both(lambda person: acts.ask_to_sign(row.hash, actor=person, now=china.now))
    corridor.settle()
    assert states(corridor, row.hash) == {State.IN_FORCE}


def test_a_signature_waits_for_a_second_person_and_the_same_person_is_not_one(corridor: Corridor) -> None:
    node = corridor["pk.nih"]
    with node:
        row = acts.draft_agreement(corridor.source(), texts={"en": b"t"}, actor=node.person(), now=node.now)
        acts.propose(row.hash, actor=node.person(), now=node.now)
        outcome = acts.ask_to_sign(row.hash, actor=node.person(), now=node.now)

        assert not outcome.done
        assert not AgreementStatement.objects.exists()
        assert outcome.request_id is not None
        with pytest.raises(SamePerson):
            approve(outcome.request_id, actor=node.person(), now=node.now)
        assert not AgreementStatement.objects.exists()


def test_an_auditor_signs_nothing(corridor: Corridor) -> None:
    agreement = corridor.sign()
    node = corridor["pk.nih"]
    with node, pytest.raises(NotPermitted):
        acts.suspend(agreement, actor=node.person("eye"), now=node.now)


def test_a_suspension_holds_at_its_author_at_once_and_the_author_refuses_what_arrives_meanwhile(
    corridor: Corridor,
) -> None:
    agreement = corridor.sign()
    pakistan, china = corridor["pk.nih"], corridor["cn.cdc"]
    queued = china.send(7, to="pk.nih", agreement=agreement)
    suspend(pakistan, agreement)

    assert pakistan.send(8, to="cn.cdc", agreement=agreement).reason == "suspended"
    assert state(china, agreement) is State.IN_FORCE
    china.deliver()

    (arrived,) = pakistan.crossings(schema="test.figure/1", direction="in")
    assert (arrived.envelope_id, arrived.status, arrived.reason) == (queued.envelope_id, "refused", "suspended")
    assert pakistan.effects() == []
    corridor.settle()
    assert states(corridor, agreement) == {State.SUSPENDED}
    (answered,) = china.crossings(schema="test.figure/1", direction="out")
    assert (answered.status, answered.reason) == ("refused", "suspended")


def test_each_side_lifts_its_own_suspension_alone(corridor: Corridor) -> None:
    agreement = corridor.sign()
    pakistan, china = corridor["pk.nih"], corridor["cn.cdc"]
    suspend(pakistan, agreement)
    suspend(china, agreement)
    corridor.settle()

    resume(pakistan, agreement)
    corridor.settle()
    assert states(corridor, agreement) == {State.SUSPENDED}
    resume(china, agreement)
    corridor.settle()

    assert states(corridor, agreement) == {State.IN_FORCE}


def test_a_resumption_waits_for_what_came_before_it_and_a_suspension_does_not(corridor: Corridor) -> None:
    agreement = corridor.sign()
    pakistan, china = corridor["pk.nih"], corridor["cn.cdc"]
    for step in (suspend, resume, suspend):
        step(pakistan, agreement)
    with pakistan:
        first, second, third = (
            bytes(row.signed)
            for row in AgreementStatement.objects.filter(node_id="pk.nih").order_by("sequence")
            if row.kind != Kind.SIGNATURE
        )

    def apply(signed: bytes) -> State:
        with china, transaction.atomic():
            return agreements.apply_statement(signed, from_node="pk.nih", now=china.now)

    assert apply(second) is State.IN_FORCE
    assert apply(third) is State.SUSPENDED
    assert apply(first) is State.SUSPENDED
    assert apply(third) is State.SUSPENDED
    corridor.settle()
    assert states(corridor, agreement) == {State.SUSPENDED}


def test_a_statement_that_the_state_forbids_is_refused_and_the_next_one_still_counts(corridor: Corridor) -> None:
    agreement = corridor.sign()
    pakistan, china = corridor["pk.nih"], corridor["cn.cdc"]
    with pakistan:
        row = Agreement.objects.get(hash=agreement)
        forbidden = acts._STATEMENTS[Kind.RESUMPTION]
        statement = _stated(row, Kind.RESUMPTION, node=pakistan)
        acts._send(
            row,
            forbidden(
                agreement=agreement,
                sequence=statement.sequence,
                previous=statement.previous,
                statement=_b64(statement.signed),
            ),
            actor=pakistan.person(),
            now=pakistan.now,
        )
    corridor.settle()

    (refused,) = china.crossings(schema="exchange.resumption/1")
    assert (refused.status, refused.reason) == ("refused", "forbidden_transition")
    assert state(china, agreement) is State.IN_FORCE

    suspend(pakistan, agreement)
    resume(pakistan, agreement)
    corridor.settle()
    assert states(corridor, agreement) == {State.IN_FORCE}


def _stated(row: Agreement, kind: Kind, *, node: Node) -> Any:
    """Sign and store a statement as a node would that does not check its own state."""
    from corridor.exchange import keystore
    from corridor.exchange.rules.agreement import make_statement

    before = agreements.statements_of(row, node.id)
    statement = make_statement(
        kind,
        agreement=row.hash,
        party=node.id,
        after=before[-1],
        key=keystore.own_keys().agreement,
        now=node.now,
    )
    with transaction.atomic():
        agreements.record_statement(row, statement, now=node.now)
    return statement


def _b64(data: bytes) -> str:
    from corridor.exchange.rules.canonical import b64

    return b64(data)


def test_a_statement_signed_by_a_foreign_key_has_no_effect(corridor: Corridor) -> None:
    from corridor.exchange.rules.agreement import make_statement
    from corridor.exchange.rules.keys import SigningKey
    from corridor.exchange.rules.reasons import Reason, Refused

    agreement = corridor.sign()
    china = corridor["cn.cdc"]
    with china:
        row = Agreement.objects.get(hash=agreement)
        forged = make_statement(
            Kind.TERMINATION,
            agreement=agreement,
            party="pk.nih",
            after=agreements.statements_of(row, "pk.nih")[-1],
            key=SigningKey.generate(),
            now=china.now,
        )
        with pytest.raises(Refused) as caught, transaction.atomic():
            agreements.apply_statement(forged.signed, from_node="pk.nih", now=china.now)
    assert caught.value.reason is Reason.BAD_SIGNATURE
    assert states(corridor, agreement) == {State.IN_FORCE}


def test_an_agreement_expires_at_both_ends_without_a_word(corridor: Corridor) -> None:
    agreement = corridor.sign(end_at=corridor.now + timedelta(days=2))
    corridor.advance(days=2)

    assert states(corridor, agreement) == {State.EXPIRED}
    assert corridor["pk.nih"].send(9, to="cn.cdc", agreement=agreement).reason == "expired"
    with corridor["pk.nih"] as node:
        assert Agreement.objects.get(hash=agreement).state == State.IN_FORCE
        agreements.tick(now=node.now)
        assert Agreement.objects.get(hash=agreement).state == State.EXPIRED


def test_a_termination_runs_its_notice_and_then_ends_for_both(corridor: Corridor) -> None:
    agreement = corridor.sign()
    pakistan = corridor["pk.nih"]
    pakistan.both(lambda person: acts.ask_to_terminate(agreement, actor=person, now=pakistan.now))
    corridor.settle()

    assert states(corridor, agreement) == {State.IN_FORCE}
    corridor.advance(days=31)
    assert states(corridor, agreement) == {State.TERMINATED}
    with pakistan, pytest.raises(ForbiddenTransition):
        acts.suspend(agreement, actor=pakistan.person(), now=pakistan.now)


def test_an_emergency_annex_opens_by_one_officer_of_each_side_and_closes_by_itself(corridor: Corridor) -> None:
    annex = corridor.sign(emergency=EMERGENCY)
    pakistan, china = corridor["pk.nih"], corridor["cn.cdc"]
    assert states(corridor, annex) == {State.DORMANT}
    assert pakistan.send(9, to="cn.cdc", agreement=annex).reason == "dormant"

    for node in (pakistan, china):
        with node:
            acts.activate(annex, actor=node.person(), now=node.now)
        corridor.settle()
    assert states(corridor, annex) == {State.IN_FORCE}
    assert pakistan.send(9, to="cn.cdc", agreement=annex).status == "queued"
    corridor.settle()
    assert [value for _, value in china.effects()] == [9]

    corridor.advance(days=31)
    assert states(corridor, annex) == {State.DORMANT}
    assert pakistan.send(10, to="cn.cdc", agreement=annex).reason == "dormant"


def test_an_amendment_takes_the_place_of_the_old_version_when_all_have_signed(corridor: Corridor) -> None:
    old = corridor.sign()
    new = corridor.sign(retention_days=90, supersedes=old)

    assert states(corridor, new) == {State.IN_FORCE}
    assert states(corridor, old) == {State.SUPERSEDED}
    assert corridor["pk.nih"].send(9, to="cn.cdc", agreement=old).reason == "superseded"
    with corridor["cn.cdc"] as node:
        before, changed = queries.changes(node.person("eye"), new)
        assert before is not None
        assert ("retention_days",) in [change.path for change in changed]
        rows = Agreement.objects.filter(hash__in=[old, new])
        assert len({row.first_version for row in rows}) == 1


def test_what_has_ended_cannot_be_amended(corridor: Corridor) -> None:
    old = corridor.sign(end_at=corridor.now + timedelta(days=2))
    corridor.advance(days=3)
    node = corridor["pk.nih"]

    source = corridor.source(supersedes=old)
    with node, pytest.raises(acts.NotAmendable):
        acts.draft_agreement(source, texts={"en": b"t"}, actor=node.person(), now=node.now)


def test_every_statement_is_a_leaf_of_the_agreements_log(corridor: Corridor) -> None:
    from corridor.exchange.models import LogLeaf

    agreement = corridor.sign()
    suspend(corridor["pk.nih"], agreement)
    corridor.settle()
    for node in corridor:
        with node:
            records = [
                bytes(record)
                for record in LogLeaf.objects.filter(tree__subject=agreement).values_list("record", flat=True)
            ]
            assert sum(b'"stated":"signature"' in record for record in records) == 2
            assert sum(b'"stated":"suspension"' in record for record in records) == 1


def test_a_channel_is_offered_to_pillars_only_while_it_is_open(corridor: Corridor) -> None:
    agreement = corridor.sign()
    node = corridor["pk.nih"]

    def offered() -> list[tuple[str, ...]]:
        with node:
            found = queries.channels_open(actor=node.person(), schema="test.figure/1", now=node.now)
            return [view.partners for view in found]

    assert offered() == [("cn.cdc",)]
    suspend(node, agreement)
    assert offered() == []


def test_in_one_person_mode_one_signature_suffices_and_shows(make_corridor: Any) -> None:
    corridor = make_corridor(one_person=True)
    agreement = corridor.sign()

    with corridor["pk.nih"] as node:
        assert queries.agreement(node.person("eye"), agreement, now=node.now).is_one_person


def test_a_proposal_that_does_not_join_its_sender_is_refused(corridor: Corridor) -> None:
    from corridor.exchange.messages import AgreementProposal
    from corridor.exchange.rules.agreement import draft
    from corridor.exchange.rules.reasons import Reason, Refused

    foreign = corridor.source()
    foreign["parties"][0] |= {"node": "ru.gamma", "country": "RU"}
    foreign["legal_basis"][0]["country"] = "RU"
    foreign["channels"][0] |= {"from": ["ru.gamma"], "to": ["pk.nih"]}
    document = draft(foreign, texts={"en": b"t"})

    with corridor["pk.nih"] as node:
        with pytest.raises(Refused) as caught:
            agreements.accept_proposal(AgreementProposal(document=_b64(document)), from_node="cn.cdc", now=node.now)
        assert caught.value.reason is Reason.NOT_A_PARTY
        assert not Agreement.objects.exists()
        assert not Crossing.objects.filter(schema="exchange.proposal/1").exists()

"""Under ``storage = "view-only"`` nothing is kept: bodies travel sealed, are looked at for a short time, and go."""

from __future__ import annotations

from datetime import timedelta

import pytest

from corridor.accounts.actors import System
from corridor.accounts.models import AuditEntry
from corridor.accounts.roles import NotPermitted
from corridor.accounts.services import add_person
from corridor.exchange import keystore
from corridor.exchange.models import BodyKeeping, SealedBody
from corridor.exchange.queries import keeping
from corridor.exchange.rules import gate
from corridor.exchange.rules.evidence_file import read
from corridor.exchange.services import outbox, viewing
from tests.exchange.nodes import Corridor, Figure
from tests.exchange.test_retention import enforce, hold, prove, received, sent

PK, CN = "pk.nih", "cn.cdc"
SQLITE = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)


@pytest.fixture
def agreement(corridor: Corridor) -> str:
    with corridor[CN] as china:
        add_person("watcher", roles=("epidemiologist",), actor=System("test"), now=china.now)
    return corridor.sign(storage="view-only")


def look(corridor: Corridor, envelope: str, *, name: str = "watcher") -> int:
    """Return the value that a person of China's node reads in an envelope."""
    number = received(corridor[CN], envelope).pk
    with corridor[CN] as china:
        message = viewing.look(crossing_id=number, actor=china.person(name), now=china.now)
    assert isinstance(message, Figure)
    return message.value


def test_what_comes_to_be_viewed_reaches_no_handler_and_lies_open_nowhere(corridor: Corridor, agreement: str) -> None:
    # Long enough that no hash of the home spells it by chance.
    envelope = sent(corridor, agreement, 70_717_071_717)

    assert corridor[CN].effects() == []
    assert received(corridor[PK], envelope).status == "accepted"
    assert look(corridor, envelope) == 70_717_071_717
    for path in sorted(corridor[CN].home.rglob("*")):
        if path.is_file() and keystore.KEYS not in path.parts:
            assert b"70717071717" not in path.read_bytes(), path


def test_each_look_is_an_entry_of_the_audit_trail(corridor: Corridor, agreement: str) -> None:
    envelope = sent(corridor, agreement)
    look(corridor, envelope)
    look(corridor, envelope)
    with corridor[CN]:
        entries = AuditEntry.objects.filter(action="exchange.look_at_body", outcome="done")
        assert [each.actor for each in entries] == ["watcher", "watcher"]


@SQLITE
def test_who_may_not_view_bodies_sees_nothing(corridor: Corridor, agreement: str) -> None:
    envelope = sent(corridor, agreement)
    with pytest.raises(NotPermitted):
        look(corridor, envelope, name="eye")


def test_the_view_ends_on_the_hour_and_the_key_is_destroyed_with_a_signed_statement(
    corridor: Corridor, agreement: str
) -> None:
    envelope = sent(corridor, agreement)
    china = corridor[CN]
    began_at = received(china, envelope).recorded_at
    corridor.now = began_at + timedelta(hours=71, minutes=59)
    assert look(corridor, envelope) == 7
    assert enforce(china) == 0
    corridor.now = began_at + timedelta(hours=72)
    with pytest.raises(viewing.ViewEnded):
        look(corridor, envelope)

    assert enforce(china) == 1
    corridor.settle()

    with china:
        row = SealedBody.objects.get()
        assert not keystore.has_body_key(china.home, row.name)
        assert BodyKeeping.objects.get().why == "view-ended"
    assert received(corridor[PK], envelope).keeping.partner_why == "view-ended"
    verdict, _ = prove(corridor, china, envelope)
    assert verdict.status == "authentic", verdict.reasons


@SQLITE
def test_a_shorter_retention_shortens_the_view(corridor: Corridor, agreement: str) -> None:
    del agreement
    short = corridor.sign(storage="view-only", retention_days=1)
    envelope = sent(corridor, short)
    corridor.advance(hours=25)
    with pytest.raises(viewing.ViewEnded):
        look(corridor, envelope)


@SQLITE
def test_a_legal_hold_keeps_the_body_and_opens_it_to_nobody(corridor: Corridor, agreement: str) -> None:
    envelope = sent(corridor, agreement)
    hold(corridor[CN], envelope)
    corridor.advance(hours=73)
    assert enforce(corridor[CN]) == 0
    with pytest.raises(viewing.ViewEnded):
        look(corridor, envelope)


@SQLITE
def test_evidence_of_the_receiver_carries_no_ciphertext_that_would_be_a_copy(
    corridor: Corridor, agreement: str
) -> None:
    envelope = sent(corridor, agreement)
    verdict, data = prove(corridor, corridor[CN], envelope)
    assert (verdict.status, read(data).ciphertext) == ("authentic", None)
    assert read(prove(corridor, corridor[PK], envelope)[1]).ciphertext is not None


@SQLITE
def test_what_is_kept_under_another_agreement_is_not_shown_on_the_envelope(corridor: Corridor, agreement: str) -> None:
    del agreement
    envelope = sent(corridor, corridor.sign())
    with pytest.raises(viewing.NotViewable):
        look(corridor, envelope)


@SQLITE
@pytest.mark.parametrize("is_guarded", [True, False])
def test_an_open_body_is_refused_at_both_gates(
    corridor: Corridor, agreement: str, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    monkeypatch.setattr(outbox.Gatekeeper, "is_view_only", lambda self, hash_, channel: False)
    if not is_guarded:
        checks = tuple(check for check in gate._ALL_CHECKS if check is not gate._storage)
        monkeypatch.setattr(gate, "_ALL_CHECKS", checks)
    crossing = corridor[PK].send(7, to=CN, agreement=agreement)
    assert (crossing.status, crossing.reason) == (("refused", "view_only") if is_guarded else ("queued", ""))


@SQLITE
def test_people_who_may_view_are_told_what_there_is_and_until_when(corridor: Corridor, agreement: str) -> None:
    envelope = sent(corridor, agreement)
    crossing = received(corridor[CN], envelope)
    with corridor[CN] as china:
        listed = keeping.viewable(china.person("watcher"), now=china.now)
        assert keeping.viewable(china.person("eye"), now=china.now) == []
        assert keeping.viewable(china.person("watcher"), now=china.now + timedelta(hours=73)) == []
    until_at = crossing.recorded_at + timedelta(hours=72)
    assert listed == [(crossing.pk, PK, "test.figure/1", until_at)]

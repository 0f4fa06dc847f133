"""A legal hold outlives the restore of a backup that does not know it: it lies in a file beside the database."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction

from corridor.accounts.actors import System
from corridor.accounts.services import add_person
from corridor.base.clock import utcnow
from corridor.exchange.models import BodyKeeping, Crossing, LogLeaf, SealedBody
from corridor.exchange.registry import register_message
from corridor.exchange.services import bodies, deletion, holds, restore, send
from tests.exchange.nodes import Corridor, Node, store_effects
from tests.exchange.test_returns import copy, put_back
from tests.exchange.test_sealed_bodies import Referral

PK, CN = "pk.nih", "cn.cdc"
HOURLY = System("hourly")
pytestmark = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)


@pytest.fixture
def agreement(corridor: Corridor) -> str:
    """Return an agreement whose one channel is open for letters about persons."""
    register_message(Referral, handler=store_effects)
    (figures,) = corridor.source()["channels"]
    opened = {"id": "letters", "message": "test.referral/1", "data_class": "personal", "disclosure": []}
    caps = {"caps": {"envelopes_per_day": 9, "persons_per_year": 9}, "filing": "standard-contract:2026-1"}
    for node in corridor:
        with node:
            add_person("steward", roles=("steward",), actor=System("test"), now=node.now)
    return corridor.sign(channels=[figures | opened | caps])


def refer(corridor: Corridor, agreement: str) -> str:
    with corridor[PK] as node, transaction.atomic():
        sent = send(
            Referral(text="a letter"), to=CN, agreement=agreement, channel="letters", actor=System("t"), now=node.now
        )
    corridor.settle()
    return str(sent.envelope_id)


def hold(node: Node, envelope: str) -> None:
    with node:
        deletion.hold(envelope, reason="Court order 12", actor=node.person("steward"), now=node.now)


def come_back(corridor: Corridor, node: Node, other: str) -> None:
    node.deliver()
    node.both(lambda person: restore.ask_to_open_epoch(actor=person, now=node.now))
    corridor.settle()
    with corridor[other] as partner:
        restore.confirm_restore(node.id, actor=partner.person(), now=partner.now)
    corridor.settle()


@pytest.mark.parametrize("is_guarded", [True, False])
def test_a_hold_laid_after_the_backup_lies_after_its_restore(
    corridor: Corridor, agreement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    envelope, node = refer(corridor, agreement), corridor[CN]
    old = copy(node, tmp_path / "backup.db")
    hold(node, envelope)
    if not is_guarded:
        monkeypatch.setattr(holds, "FOLDER", "elsewhere")
    put_back(node, old)
    with node:
        assert not BodyKeeping.objects.filter(held_at__isnull=False).exists()
        if not is_guarded:
            deletion.ask_to_delete(envelope, actor=node.person("steward"), now=node.now)
            return
        with pytest.raises(deletion.BodyHeld):
            deletion.ask_to_delete(envelope, actor=node.person("steward"), now=node.now)
        assert deletion.lay_again(actor=HOURLY, now=node.now) == 1
        assert deletion.lay_again(actor=HOURLY, now=node.now) == 0
        keeping = BodyKeeping.objects.get(crossing__envelope_id=envelope)
        assert (keeping.hold_reason, keeping.held_by) == ("Court order 12", "steward")
        assert any(b'"kind":"held"' in bytes(each) for each in LogLeaf.objects.values_list("record", flat=True))


@pytest.mark.parametrize(("holder", "other"), [(CN, PK), (PK, CN)], ids=["received", "sent"])
def test_a_body_that_came_and_was_held_after_the_backup_is_held_when_it_is_back(
    corridor: Corridor, agreement: str, tmp_path: Path, holder: str, other: str
) -> None:
    node = corridor[holder]
    old = copy(node, tmp_path / "backup.db")
    corridor.advance(minutes=1)
    envelope = refer(corridor, agreement)
    hold(node, envelope)
    put_back(node, old)
    with node:
        assert not SealedBody.objects.exists()
        (kept,) = holds.kept()
        for path in (node.home / bodies.FOLDER).glob("*/*"):
            os.utime(path, (0, (utcnow() - timedelta(days=3)).timestamp()))
        assert bodies.sweep(now=utcnow()) == 0
    come_back(corridor, node, other)

    with node:
        assert deletion.lay_again(actor=HOURLY, now=node.now) == 1
        crossing = Crossing.objects.get(envelope_id=envelope)
        assert bodies.load(crossing) is not None
        assert BodyKeeping.objects.get(crossing=crossing).hold_reason == kept.reason
        with pytest.raises(deletion.BodyHeld):
            deletion.ask_to_delete(envelope, actor=node.person("steward"), now=node.now)


def test_a_hold_that_two_persons_lifted_leaves_no_file(corridor: Corridor, agreement: str) -> None:
    envelope, node = refer(corridor, agreement), corridor[CN]
    with node:
        add_person("keeper", roles=("steward",), actor=System("test"), now=node.now - timedelta(days=30))
    hold(node, envelope)
    with node:
        assert [each.reason for each in holds.kept()] == ["Court order 12"]
        crossing = Crossing.objects.get(envelope_id=envelope)
        deletion.release(
            crossing_id=crossing.pk, actor=node.person("keeper"), first=node.person("steward"), now=node.now
        )
        assert list(holds.kept()) == []
        deletion.ask_to_delete(envelope, actor=node.person("steward"), now=node.now)

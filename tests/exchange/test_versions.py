"""Nodes of two versions: what the older one does not know it refuses in words, and everything else goes on."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, ClassVar

import pytest
from django.db import transaction
from django.urls import reverse

from corridor.accounts.actors import System
from corridor.exchange import keystore, registry
from corridor.exchange.messages import AgreementProposal, CardAnnouncement, field_class
from corridor.exchange.models import Agreement, LogLeaf
from corridor.exchange.queries.texts import REASONS
from corridor.exchange.registry import register_message
from corridor.exchange.rules.agreement import draft
from corridor.exchange.rules.canonical import b64, canonical, parse_canonical
from corridor.exchange.rules.card import CARD
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.control import STATEMENT_TYPE
from corridor.exchange.rules.jws import read_token, sign_token
from corridor.exchange.rules.keys import sign_statement
from corridor.exchange.rules.reasons import Reason
from corridor.exchange.services import agreement_acts, partners, rounds, send, swaps
from corridor.exchange.services.outbox import send_control
from tests.exchange.nodes import Corridor, Figure, Node, store_effects
from tests.exchange.test_agreement_pages import signed_in

CN, PK, RU = "cn.cdc", "pk.nih", "ru.gamma"
NEW = "test.figure/2"


class NewerFigure(Figure):
    """The figure as a later version carries it, with the tests behind it."""

    version: ClassVar[int] = 2
    tests: Annotated[int, field_class(DataClass.AGGREGATE)] = 0


@pytest.fixture(autouse=True)
def newer_figure() -> Iterator[None]:
    """Announce version 2 beside version 1, one handler for both, and take it back."""
    register_message(NewerFigure, handler=store_effects)
    yield
    registry._registrations.pop(NEW)


def _channels(corridor: Corridor, ids: tuple[str, ...] = (), newer: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the channels of an agreement: version 1 between all, version 2 between `newer` (all if not given)."""
    (old,) = corridor.source(ids or None)["channels"]
    parties = list(newer or ids or corridor.ids)
    return {"channels": [old, old | {"id": "newer", "message": NEW, "from": parties, "to": parties}]}


def _send_newer(node: Node, value: int, *, to: str, agreement: str, channel: str = "newer") -> str:
    message = NewerFigure(place=f"{node.country}-XX", value=value, tests=9)
    with node, transaction.atomic():
        sent = send(message, to=to, agreement=agreement, channel=channel, actor=System("test"), now=node.now)
        return str(sent.status)


def test_an_envelope_of_a_version_that_the_receiver_does_not_know_is_refused_once_and_spares_the_others(
    corridor: Corridor,
) -> None:
    agreement = corridor.sign(**_channels(corridor))
    corridor[CN].lacks = frozenset({NEW})
    for value in (10, 11, 12):
        corridor[PK].send(value, to=CN, agreement=agreement)
        _send_newer(corridor[PK], value + 100, to=CN, agreement=agreement)
    report = corridor[PK].deliver()

    assert (report.accepted, report.refused, report.deferred) == (3, 3, 0)
    assert [value for _, value in corridor[CN].effects()] == [10, 11, 12]
    for node in (PK, CN):
        refused = corridor[node].crossings(status="refused")
        assert [(row.schema, row.reason) for row in refused] == [(NEW, "unknown_message_type")] * 3
    with corridor[CN]:
        records = [bytes(leaf.record) for leaf in LogLeaf.objects.filter(tree__kind="agreement")]
    assert sum(b'"unknown_message_type"' in record for record in records) == 3
    assert corridor[PK].waiting() == 0
    corridor.advance(days=1)
    carried = len(corridor.wire.log)
    assert corridor[PK].deliver().refused == 0
    assert all(b"unknown" not in body for *_, body in corridor.wire.log[carried:])


def test_the_sentence_for_an_unknown_version_says_what_to_do() -> None:
    assert "Upgrade that node" in str(REASONS[Reason.UNKNOWN_MESSAGE_TYPE])


def test_what_was_refused_crosses_anew_after_the_upgrade(corridor: Corridor) -> None:
    agreement = corridor.sign(**_channels(corridor))
    corridor[CN].lacks = frozenset({NEW})
    _send_newer(corridor[PK], 110, to=CN, agreement=agreement)
    corridor.settle()
    assert corridor[CN].effects() == []
    corridor[CN].lacks = frozenset()
    _send_newer(corridor[PK], 110, to=CN, agreement=agreement)
    corridor.settle()
    assert [value for _, value in corridor[CN].effects()] == [110]


def test_a_node_that_knows_both_versions_speaks_each_where_it_was_agreed(
    make_corridor: Callable[..., Corridor],
) -> None:
    corridor = make_corridor(CN, PK, RU)
    corridor[CN].lacks = frozenset({NEW})
    with_old = corridor.sign((PK, CN))
    with_new = corridor.sign((PK, RU), **_channels(corridor, (PK, RU)))
    corridor[PK].send(10, to=CN, agreement=with_old)
    assert _send_newer(corridor[PK], 110, to=RU, agreement=with_new) == "queued"
    assert _send_newer(corridor[PK], 120, to=CN, agreement=with_old, channel="figures") == "refused"
    corridor.settle()
    assert [value for _, value in corridor[CN].effects()] == [10]
    assert [value for _, value in corridor[RU].effects()] == [110]


def test_a_node_says_before_it_signs_that_it_does_not_know_the_version_of_a_channel(corridor: Corridor) -> None:
    corridor[CN].lacks = frozenset({NEW})
    source = corridor.source(**_channels(corridor))
    author = corridor[PK]
    with author:
        row = agreement_acts.draft_agreement(source, texts={"en": b"text"}, actor=author.person(), now=author.now)
        agreement_acts.propose(row.hash, actor=author.person(), now=author.now)
    corridor.settle()
    with (
        corridor[CN] as node,
        pytest.raises(
            agreement_acts.UnknownMessage,
            match=r"does not know test.figure/2 \(it knows test.figure/1\); upgrade before you sign",
        ),
    ):
        agreement_acts.ask_to_sign(row.hash, actor=node.person(), now=node.now)
    with corridor[CN]:
        assert Agreement.objects.get().state == "proposed"
    corridor[CN].lacks = frozenset()
    corridor[CN].both(lambda person: agreement_acts.ask_to_sign(row.hash, actor=person, now=corridor[CN].now))
    with corridor[CN]:
        assert Agreement.objects.get().state == "signed-by-some"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Upgrade it before you sign."),
        ("zh-hans", "请先升级再签署。"),
        ("ru", "прежде чем подписывать."),
        ("ur", "دستخط کرنے سے پہلے اسے اپ گریڈ کریں۔"),
    ],
)
def test_the_page_of_an_agreement_says_which_message_the_node_does_not_know(
    corridor: Corridor, language: str, said: str
) -> None:
    agreement = corridor.sign(**_channels(corridor))
    with signed_in(corridor[CN], language=language) as client:
        assert said not in client.get(reverse("exchange:agreement", args=[agreement])).content.decode()
    corridor[CN].lacks = frozenset({NEW})
    with signed_in(corridor[CN], language=language) as client:
        page = client.get(reverse("exchange:agreement", args=[agreement])).content.decode()
    assert said in page
    assert re.search(rf"<bdi[^>]*>{NEW}</bdi>", page)


def test_a_node_drafts_no_channel_that_it_does_not_know_itself(corridor: Corridor) -> None:
    corridor[PK].lacks = frozenset({NEW})
    with corridor[PK] as node, pytest.raises(agreement_acts.UnknownMessage, match="upgrade"):
        agreement_acts.draft_agreement(
            corridor.source(**_channels(corridor)), texts={"en": b"text"}, actor=node.person(), now=node.now
        )
    with corridor[PK]:
        assert not Agreement.objects.exists()


def test_a_party_whose_channels_are_all_known_signs_although_others_agree_on_a_newer_version(
    make_corridor: Callable[..., Corridor],
) -> None:
    corridor = make_corridor(CN, PK, RU)
    corridor[RU].lacks = frozenset({NEW})
    agreement = corridor.sign(**_channels(corridor, newer=(CN, PK)))
    corridor[PK].send(10, to=RU, agreement=agreement)
    _send_newer(corridor[PK], 110, to=CN, agreement=agreement)
    corridor.settle()
    assert [value for _, value in corridor[RU].effects()] == [10]
    assert [value for _, value in corridor[CN].effects()] == [110]


def _control(corridor: Corridor, message: Any) -> str:
    """Send a control message from Pakistan to China; return what China says of it."""
    with corridor[PK] as node:
        send_control(message, to=CN, actor=System("test"), now=node.now)
    corridor.settle()
    assert corridor[PK].waiting() == 0
    (row,) = corridor[CN].crossings(status="refused")
    return row.reason


def test_a_control_message_that_the_receiver_does_not_know_is_refused_once(corridor: Corridor) -> None:
    corridor[CN].lacks = frozenset({AgreementProposal.schema_id()})
    assert _control(corridor, AgreementProposal(document=b64(b"{}"))) == "unknown_message_type"


def test_a_proposal_in_a_later_version_of_the_document_is_refused_as_such(corridor: Corridor) -> None:
    document = parse_canonical(draft(corridor.source(), texts={"en": b"text"}))
    later = canonical(document | {"schema": "health-corridor.agreement/2", "climate": "temperate"})
    assert _control(corridor, AgreementProposal(document=b64(later))) == "unknown_message_type"
    with corridor[CN]:
        assert not Agreement.objects.exists()


@pytest.mark.parametrize("members", [{"suite": "hc2"}, {"schema": "health-corridor.card/2"}], ids=["suite", "version"])
def test_a_card_of_an_unknown_suite_or_version_is_refused_and_the_pinned_one_stays(
    corridor: Corridor, members: dict[str, str]
) -> None:
    with corridor[PK]:
        keys = keystore.own_keys()
        card = parse_canonical(partners.own_chain()[-1].signed)["card"] | members
        signatures = {
            key.kid: b64(sign_statement(canonical(card), kind=CARD, key=key))
            for key in (keys.transport, keys.log, keys.agreement)
        }
    announced = CardAnnouncement(card=b64(canonical({"card": card, "signatures": signatures})))
    assert _control(corridor, announced) == "unknown_message_type"
    with corridor[CN]:
        assert partners.current_card(PK).suite == "hc1"


def test_a_round_of_another_version_is_answered_with_what_to_do() -> None:
    later = rounds.Round(nonce="n").to_bytes().replace(b'"version":1', b'"version":2').replace(b'"hello"', b'"hi"')
    with pytest.raises(rounds.MalformedRound, match=r"version 2 came.*speaks version 1.*upgraded"):
        rounds.Round.from_bytes(later)


def test_a_checkpoint_statement_with_an_unknown_member_is_passed_over_and_told_to_the_operator(
    corridor: Corridor, caplog: pytest.LogCaptureFixture
) -> None:
    corridor.sign()
    with corridor[PK] as node, transaction.atomic():
        (good, *_) = swaps.make(CN, swaps.shared_trees(CN), nonce="n", now=node.now)
        key = keystore.own_keys().transport
        signed = read_token(good.statement, typ=STATEMENT_TYPE, keys={key.kid: key.public})
        payload = parse_canonical(signed.payload) | {"witnesses": []}
        strange = swaps.Swap(sign_token(canonical(payload), typ=STATEMENT_TYPE, key=key))
    with corridor[CN] as node, transaction.atomic(), caplog.at_level(logging.WARNING):
        taken = swaps.take(PK, [strange, good], now=node.now)
    assert len(taken.trees) == 1
    assert "upgrade this one" in caplog.text

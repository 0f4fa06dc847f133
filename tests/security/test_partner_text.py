"""Text that a partner wrote, as pages show it: letters, never code, and never in another's direction."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from corridor.base.errors import CorridorError
from corridor.exchange.models import Partner
from corridor.exchange.rules.canonical import NotCanonical
from corridor.exchange.rules.card import NodeKeys, card_file, fingerprint, make_card
from corridor.exchange.rules.keys import SigningKey
from corridor.exchange.services import agreement_acts, partners
from tests.exchange.nodes import Corridor, Node
from tests.security.conftest import signed_in

EVIL = '<script>alert(1)</script>"\'><img src=x onerror=alert(2)>{{ 7|add:7 }}{% now "Y" %}'
BIDI = "\u202egnp.exe"
SQLITE = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)


def _card(corridor: Corridor, *, text: str) -> tuple[bytes, str]:
    card = make_card(
        id="pk.evil",
        legal_entity=text,
        names={"en": text, "ur": text},
        country="PK",
        url="http://127.0.0.1:8009",
        keys=NodeKeys.generate(),
        recovery=SigningKey.generate().public,
        issued_at=corridor.now,
        demo=True,
    )
    return card_file([card]), fingerprint(card)


def _browser(node: Node) -> Client:
    person = node.person()
    person.must_change_password = False
    person.save()
    return signed_in(person)


def _own_markup(page: str) -> list[str]:
    """Return what of the attacker's text arrived as markup: elements, attributes or evaluated template code."""
    return re.findall(r"<script>alert|<img src=x|onerror=alert\(2\)>(?!\{)|14Z|</script>\"'&gt;<img", page)


def _loose(page: str) -> list[str]:
    """Return what stands before the attacker's text where no element isolates its direction."""
    found = []
    for place in re.finditer("&lt;script&gt;alert", page):
        # A title and an option hold nothing but letters, so no <bdi> can stand in them.
        before = page[: place.start()]
        isolating = ("bdi", "title", "option", "textarea")
        is_isolated = before.endswith("\u2068")
        if not is_isolated and not any(before.rfind(f"<{tag}") > before.rfind(f"</{tag}>") for tag in isolating):
            found.append(before[-120:])
    return found


@SQLITE
def test_a_partners_name_is_shown_as_letters_on_every_page(corridor: Corridor) -> None:
    node = corridor["pk.nih"]
    document, shown = _card(corridor, text=EVIL)
    node.both(lambda person: partners.ask_to_pin(document, fingerprint=shown, actor=person, now=node.now))
    node.send(7, to="pk.evil", agreement="0" * 64)
    with node:
        assert EVIL in Partner.objects.get(node_id="pk.evil").name
        client = _browser(node)
        for address in (
            reverse("exchange:partners"),
            reverse("exchange:partner", args=["pk.evil"]),
            reverse("exchange:crossings"),
            reverse("exchange:crossings") + "?partner=pk.evil",
            reverse("exchange:crossing", args=[1]),
            reverse("accounts:approvals"),
        ):
            page = client.get(address).content.decode()
            assert _own_markup(page) == [], address
            assert _loose(page) == [], address


@SQLITE
def test_an_agreements_texts_are_shown_as_letters_on_every_page(corridor: Corridor) -> None:
    source = corridor.source(
        instrument={"title": {"en": EVIL, "ur": EVIL}, "date": "2026-05-01", "reference": EVIL},
        purpose=EVIL,
        disputes=EVIL,
        benefit_sharing=EVIL,
    )
    author, reader = corridor["cn.cdc"], corridor["pk.nih"]
    with author:
        row = agreement_acts.draft_agreement(source, texts={"en": b"t"}, actor=author.person(), now=author.now)
        agreement_acts.propose(row.hash, actor=author.person(), now=author.now)
    corridor.settle()
    with reader:
        client = _browser(reader)
        pages: dict[str, Any] = {
            "list": reverse("exchange:agreements"),
            "one": reverse("exchange:agreement", args=[row.hash]),
            "sheet": reverse("exchange:agreement-sheet", args=[row.hash]),
            "difference": reverse("exchange:agreement-difference", args=[row.hash]),
            "act": reverse("exchange:agreement-act", args=[row.hash, "sign"]),
            "crossings": reverse("exchange:crossings"),
        }
        read = {name: client.get(address).content.decode() for name, address in pages.items()}
    assert "&lt;script&gt;alert(1)" in read["list"] + read["one"]
    assert "&lt;script&gt;alert(1)" in read["sheet"]
    assert {name: _own_markup(page) for name, page in read.items()} == {name: [] for name in read}
    assert {name: _loose(page) for name, page in read.items()} == {name: [] for name in read}


def test_the_search_for_markup_finds_what_is_not_escaped() -> None:
    assert _own_markup(EVIL)


@SQLITE
def test_a_card_with_a_hidden_change_of_direction_is_refused(corridor: Corridor) -> None:
    with pytest.raises(NotCanonical):
        _card(corridor, text=BIDI)
    document, shown = _card(corridor, text="innocent")
    node = corridor["pk.nih"]
    with node, pytest.raises(CorridorError):
        partners.ask_to_pin(
            document.replace(b"innocent", BIDI.encode()), fingerprint=shown, actor=node.person(), now=node.now
        )


@SQLITE
def test_an_agreement_with_a_hidden_change_of_direction_is_refused(corridor: Corridor) -> None:
    node = corridor["pk.nih"]
    with node, pytest.raises(CorridorError):
        agreement_acts.draft_agreement(
            corridor.source(purpose=BIDI), texts={"en": b"t"}, actor=node.person(), now=node.now
        )

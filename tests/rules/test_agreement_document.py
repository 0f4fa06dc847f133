"""Reading, drafting and comparing agreements."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from corridor.base.differences import Change
from corridor.base.errors import InputFault
from corridor.exchange.rules.agreement import (
    MalformedAgreement,
    agreement_hash,
    difference,
    draft,
    read_agreement,
)
from corridor.exchange.rules.canonical import canonical
from tests.rules import agreements


def faults(value: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(MalformedAgreement) as caught:
        read_agreement(canonical(value))
    return {fault.pointer: fault.text for fault in caught.value.faults}


def plain(**members: Any) -> dict[str, Any]:
    return dict(json.loads(agreements.document(**members)))


def test_a_drafted_agreement_is_read_back_with_its_hash_as_name() -> None:
    document = agreements.document()

    agreement = read_agreement(document)

    assert agreement.hash == agreement_hash(document)
    assert agreement.nodes == {"pk.nih", "cn.cdc"}
    assert agreement.start_at == datetime(2026, 1, 1, tzinfo=UTC)
    channel = agreement.channel("counts")
    assert channel is not None
    assert {(rule.disease, rule.place_level, rule.min_cell) for rule in channel.disclosure} == {
        ("*", "admin1", 5),
        ("cholera", "admin1", 1),
    }


def test_what_a_source_leaves_out_takes_the_cautious_default() -> None:
    agreement = agreements.agreement()

    assert agreement.onward_transfer is False
    assert agreement.notice_days == 30
    assert agreement.emergency is None


def test_bytes_that_are_not_canonical_are_refused() -> None:
    spaced = json.dumps(plain()).encode()

    with pytest.raises(InputFault):
        read_agreement(spaced)


def test_every_fault_is_listed_with_its_pointer() -> None:
    value = plain()
    value["parties"][0]["country"] = "CN"
    value["channels"][0]["data_class"] = "secret"
    value["channels"][0]["from"] = ["xx.unknown"]
    value["retention_days"] = -1
    value["start_at"] = "2026-01-01"
    del value["purpose"]
    value["surprise"] = 1

    found = faults(value)

    assert set(found) >= {
        "/parties/0/country",
        "/channels/0/data_class",
        "/channels/0",
        "/retention_days",
        "/start_at",
        "/purpose",
        "/surprise",
    }


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"end_at": "2025-01-01T00:00:00Z"}, "/end_at"),
        ({"witnesses": 1}, "/witnesses"),
        ({"governing_language": "ru"}, "/texts"),
        ({"legal_basis": []}, "/legal_basis"),
        ({"emergency": {"dormant": False, "opened_by": "each-party", "open_days": 30}}, "/emergency/dormant"),
        ({"emergency": []}, "/emergency"),
        ({"parties": "both"}, "/parties"),
        ({"supersedes": "abc"}, "/supersedes"),
        ({"channels": [agreements.channel(), agreements.channel()]}, "/channels/1"),
        ({"channels": [agreements.channel(to=["pk.nih"], from_=["pk.nih"])]}, "/channels/0/to"),
        ({"channels": [agreements.channel(place_level="village")]}, "/channels/0/place_level"),
        ({"channels": [agreements.channel(data_class="personal")]}, "/channels/0/caps/persons_per_year"),
        ({"channels": [1]}, "/channels/0"),
    ],
)
def test_a_member_at_fault_is_named(change: dict[str, Any], pointer: str) -> None:
    assert pointer in faults(plain() | change)


def test_a_sound_document_has_no_fault_with_every_optional_member() -> None:
    value = plain(
        channels=[agreements.channel(filing="security-assessment:1", exemption=None, licence="HGR-1")],
        emergency={"dormant": True, "opened_by": "one-party", "open_days": 30},
        supersedes="a" * 64,
    )

    agreement = read_agreement(canonical(value))

    assert agreement.emergency is not None
    assert agreement.supersedes == "a" * 64


def test_a_text_with_bidirectional_controls_is_refused() -> None:
    value = plain() | {"purpose": "safe \u202e reversed"}

    with pytest.raises(InputFault):
        draft(value, texts={})


def test_a_covered_place_is_the_pattern_or_lies_below_it() -> None:
    agreement = agreements.agreement(places=[{"base_map": "ISO", "codes": ["PK-*", "CN-XJ"]}])

    covered = [
        place for place in ("PK", "PK-SD", "PK-SD-KHI", "CN", "CN-XJ", "CN-XJ-1", "PKX") if agreement.covers(place)
    ]

    assert covered == ["PK", "PK-SD", "PK-SD-KHI", "CN-XJ"]


def test_an_amendment_shows_each_changed_clause_once() -> None:
    old = agreements.document()
    new = agreements.document(
        channels=[agreements.channel(acceptance="preview"), agreements.channel(id="more", clause="4.2")],
        retention_days=365,
        supersedes=agreement_hash(old),
    )

    changes = {change.path: change for change in difference(old, new)}

    assert set(changes) == {("channels", "counts", "acceptance"), ("channels", "more"), ("retention_days",)}
    assert changes["channels", "counts", "acceptance"].clause == "4.1"
    assert changes["channels", "counts", "acceptance"].new == "preview"
    assert changes["channels", "more"].change is Change.ADDED
    assert changes["retention_days",].old == 1825


def test_moving_a_channel_changes_nothing() -> None:
    channels = [agreements.channel(), agreements.channel(id="more", clause="4.2")]

    assert difference(agreements.document(channels=channels), agreements.document(channels=channels[::-1])) == []


def test_a_removed_channel_is_shown_as_removed() -> None:
    both = agreements.document(channels=[agreements.channel(), agreements.channel(id="more", clause="4.2")])

    (change,) = difference(both, agreements.document())

    assert (change.path, change.change, change.clause) == (("channels", "more"), Change.REMOVED, "4.2")

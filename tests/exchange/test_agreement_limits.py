"""Counters of persons and the release ledger under real envelopes, on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar

import pytest
from django.db import transaction

from corridor.accounts.actors import System
from corridor.base.disclosure import Cell
from corridor.exchange import keystore
from corridor.exchange.messages import Message, field_class
from corridor.exchange.models import Crossing, ExportCounter, ExportedPerson, ReleasedCell
from corridor.exchange.queries import agreements as queries
from corridor.exchange.registry import register_message
from corridor.exchange.rules import counters as rules
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.services import counters, release, send
from tests.exchange.nodes import START, Corridor, Node, store_effects

FILING = "standard-contract:2026-1"


class Records(Message):
    """De-identified records of persons, for tests; empty names are persons without a stable identifier."""

    schema_name: ClassVar[str] = "test.records"
    data_class: ClassVar[DataClass] = DataClass.DEIDENTIFIED
    names: Annotated[tuple[str, ...], field_class(DataClass.DEIDENTIFIED)]

    def persons(self) -> int:
        return len(self.names)

    def person_identifiers(self) -> list[str]:
        return [name for name in self.names if name]


class Table(Message):
    """A table of weekly figures, withheld where None, for tests."""

    schema_name: ClassVar[str] = "test.table"
    data_class: ClassVar[DataClass] = DataClass.AGGREGATE
    rows: Annotated[tuple[str, ...], field_class(DataClass.AGGREGATE)]
    values: Annotated[tuple[int | None, ...], field_class(DataClass.AGGREGATE)]

    def cells(self) -> list[Cell]:
        start = START.date() - timedelta(days=START.weekday())
        return [
            Cell("measles", place, start, start + timedelta(days=7), "", value, "" if value is not None else "below-5")
            for place, value in zip(self.rows, self.values, strict=True)
        ]


@pytest.fixture(autouse=True)
def _announced() -> None:
    register_message(Records, handler=store_effects)
    register_message(Table, handler=store_effects)


def channel(corridor: Corridor, message: type[Message], **members: Any) -> list[dict[str, Any]]:
    (one,) = corridor.source()["channels"]
    return [one | {"id": "test", "message": message.schema_id()} | members]


def people(corridor: Corridor, *, persons_per_year: int = 100, **members: Any) -> str:
    caps = {"envelopes_per_day": 1000, "persons_per_year": persons_per_year}
    opened = channel(corridor, Records, data_class="deidentified", disclosure=[], caps=caps, filing=FILING, **members)
    return corridor.sign(channels=opened)


def share(node: Node, message: Message, *, to: str, agreement: str) -> Crossing:
    with node, transaction.atomic():
        return send(message, to=to, agreement=agreement, channel="test", actor=System("test"), now=node.now)


def counted(node: Node, direction: str) -> list[int]:
    with node:
        return [
            each.persons
            for each in queries.counters(node.person("eye"), now=node.now)
            if (each.country, each.direction) == ("CN", direction)
        ]


def test_each_person_is_counted_once_a_year_on_both_sides_with_keys_of_their_own(corridor: Corridor) -> None:
    agreement = people(corridor)
    china, pakistan = corridor["cn.cdc"], corridor["pk.nih"]
    share(china, Records(names=("ID 1", "ID 2", "")), to="pk.nih", agreement=agreement)
    share(china, Records(names=("id-1", "ID 3", "")), to="pk.nih", agreement=agreement)
    corridor.settle()

    assert counted(china, "out") == [5]
    assert counted(pakistan, "in") == [5]
    with china:
        mine = {bytes(tag) for tag in ExportedPerson.objects.values_list("tag", flat=True)}
    with pakistan:
        theirs = {bytes(tag) for tag in ExportedPerson.objects.values_list("tag", flat=True)}
    assert not mine & theirs


def test_the_cap_of_a_channel_holds_over_envelopes_and_amendments(corridor: Corridor) -> None:
    old = people(corridor, persons_per_year=3)
    china = corridor["cn.cdc"]
    first = share(china, Records(names=("a", "b")), to="pk.nih", agreement=old)
    corridor.settle()
    caps = {"envelopes_per_day": 1000, "persons_per_year": 3}
    opened = channel(corridor, Records, data_class="deidentified", disclosure=[], caps=caps, filing=FILING)
    new = corridor.sign(channels=opened, retention_days=90, supersedes=old)

    same = share(china, Records(names=("a", "c")), to="pk.nih", agreement=new)
    beyond = share(china, Records(names=("d",)), to="pk.nih", agreement=new)

    assert (first.status, same.status) == ("queued", "queued")
    assert (beyond.status, beyond.reason) == ("refused", "person_cap")


def test_nothing_of_a_person_is_in_the_database_but_tags(corridor: Corridor) -> None:
    agreement = people(corridor)
    china = corridor["cn.cdc"]
    share(china, Records(names=("very-secret-name",)), to="pk.nih", agreement=agreement)

    with china:
        tags = [bytes(tag) for tag in ExportedPerson.objects.values_list("tag", flat=True)]
    assert tags
    assert all(len(tag) == 32 and b"secret" not in tag for tag in tags)


def test_the_limit_of_the_law_counts_over_two_agreements(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = people(corridor), people(corridor, clause="4.2")
    china = corridor["cn.cdc"]
    with china:
        share(china, Records(names=("a",)), to="pk.nih", agreement=one)
        ExportCounter.objects.filter(rule="CN:sensitive", direction="out").update(persons=9_998)
    last = share(china, Records(names=("b",)), to="pk.nih", agreement=two)
    beyond = share(china, Records(names=("c",)), to="pk.nih", agreement=one)
    known = share(china, Records(names=("a",)), to="pk.nih", agreement=two)

    assert (last.status, beyond.reason, known.status) == ("queued", "export_limit", "queued")
    monkeypatch.setattr("corridor.exchange.rules.gate.reached_limits", lambda *_, **__: ())
    assert share(china, Records(names=("c",)), to="pk.nih", agreement=one).status == "queued"


def test_a_counter_whose_key_is_lost_stays_closed(corridor: Corridor) -> None:
    agreement = people(corridor)
    china = corridor["cn.cdc"]
    share(china, Records(names=("a",)), to="pk.nih", agreement=agreement)
    with china:
        for row in ExportCounter.objects.all():
            keystore.destroy_body_key(keystore.home(), counters._key_name(row))

    refused = share(china, Records(names=("b",)), to="pk.nih", agreement=agreement)

    assert refused.reason == "counters_closed"


def test_keys_and_tags_of_a_year_are_destroyed_when_it_is_over_and_totals_stay(corridor: Corridor) -> None:
    agreement = people(corridor)
    china = corridor["cn.cdc"]
    share(china, Records(names=("a", "b")), to="pk.nih", agreement=agreement)
    with china:
        assert counters.retire(actor=System("test"), now=china.now) == 0
        assert counters.retire(actor=System("test"), now=china.now + timedelta(days=300)) == 2
        assert not ExportedPerson.objects.exists()
        assert ExportCounter.objects.get(rule="CN:sensitive").persons == 2


def test_a_refused_body_counts_nobody(corridor: Corridor) -> None:
    agreement = people(corridor, persons_per_year=1)
    china = corridor["cn.cdc"]

    refused = share(china, Records(names=("a", "b")), to="pk.nih", agreement=agreement)

    assert refused.reason == "person_cap"
    with china:
        assert not ExportedPerson.objects.exists()
        assert set(ExportCounter.objects.values_list("persons", flat=True)) == {0}


# The release ledger

TOTALS: Sequence[dict[str, Any]] = (
    {"disease": "*", "stratum": "total", "min_cell": 5},
    {"disease": "measles", "stratum": "total", "min_cell": 5, "place_level": "country"},
    {"disease": "measles", "stratum": "total", "min_cell": 5},
)


def figures(corridor: Corridor, **members: Any) -> str:
    return corridor.sign(channels=channel(corridor, Table, disclosure=list(TOTALS), **members))


def narrowing(corridor: Corridor) -> tuple[Crossing, Crossing]:
    """Release two provinces of which one is withheld, then under another agreement the total that gives it away."""
    one, two = figures(corridor), figures(corridor, clause="4.9")
    pakistan = corridor["pk.nih"]
    split = Table(rows=("PK-SD", "PK-PB"), values=(None, 20))
    first = share(pakistan, split, to="cn.cdc", agreement=one)
    # At most 22 - 20 = 2 cases are left for Sindh, where the rule promises 1 to 4.
    total = Table(rows=("PK",), values=(22,))
    second = share(pakistan, total, to="cn.cdc", agreement=two)
    return first, second


def test_the_ledger_holds_every_released_and_withheld_figure(corridor: Corridor) -> None:
    first, _ = narrowing(corridor)

    with corridor["pk.nih"]:
        rows = ReleasedCell.objects.filter(crossing=first).order_by("place")
        assert [(row.place, row.value, row.withheld) for row in rows] == [
            ("PK-PB", 20, ""),
            ("PK-SD", None, "below-5"),
        ]


def test_a_total_that_narrows_a_withheld_cell_is_refused_even_under_another_agreement(corridor: Corridor) -> None:
    first, second = narrowing(corridor)

    assert first.status == "queued"
    assert (second.status, second.reason) == ("refused", "ledger_waits")


def test_without_the_ledger_the_same_total_crosses(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "breaches", lambda cells: [])

    assert [crossing.status for crossing in narrowing(corridor)] == ["queued", "queued"]


def test_the_ledger_is_asked_before_the_gate_opens(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> None:
    agreement = figures(corridor)
    pakistan = corridor["pk.nih"]
    table = Table(rows=("PK-SD", "PK-PB"), values=(None, 20))
    monkeypatch.setattr(release, "breaches", lambda cells: ["a withheld cell would be narrowed"])

    refused = share(pakistan, table, to="cn.cdc", agreement=agreement)

    assert (refused.status, refused.reason) == ("refused", "ledger_waits")
    with pakistan:
        assert not ReleasedCell.objects.exists()
    monkeypatch.undo()
    register_message(Table, handler=store_effects)
    assert share(pakistan, table, to="cn.cdc", agreement=agreement).status == "queued"


def test_a_released_envelope_is_not_judged_by_the_ledger_again(corridor: Corridor) -> None:
    agreement = figures(corridor)
    pakistan = corridor["pk.nih"]
    share(pakistan, Table(rows=("PK-SD",), values=(9,)), to="cn.cdc", agreement=agreement)
    share(pakistan, Table(rows=("PK-SD",), values=(12,)), to="cn.cdc", agreement=agreement)

    corridor.settle()

    assert [view.status for view in pakistan.crossings(schema="test.table/1")] == ["accepted", "accepted"]


def test_tags_need_a_long_key() -> None:
    with pytest.raises(ValueError, match="32"):
        rules.tag("a", key=b"short")

"""Every announced message has bytes that never change and a class for every field, control messages too."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from corridor.exchange import registry
from corridor.exchange.messages import CONTROL_MESSAGES, Message, Part
from corridor.exchange.rules.classes import DataClass

HASH, OTHER = "a" * 64, "b" * 64
FILE = Path(__file__).parents[1] / "exchange" / "vectors" / "control-messages.json"
GOLDEN: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))
STATED = {"agreement": HASH, "sequence": 2, "previous": OTHER, "statement": "c3RhdGVtZW50"}
SAMPLES: dict[str, dict[str, object]] = {
    "exchange.card/1": {"card": "Y2FyZA"},
    "exchange.revocation/1": {"revocation": "cmV2b2NhdGlvbg"},
    "exchange.proposal/1": {"document": "e30"},
    "exchange.signature/1": {"agreement": HASH, "signature": "c2lnbmF0dXJl"},
    "exchange.suspension/1": STATED,
    "exchange.resumption/1": STATED,
    "exchange.activation/1": STATED,
    "exchange.termination/1": STATED,
    "exchange.checkpoint/1": {"node": "ru.rpn", "origin": "health-corridor/ru.rpn/x/y/1", "checkpoint": "bm90ZQ"},
    "exchange.proof/1": {"origin": "health-corridor/pk.nih/x/y/1", "from_size": 3, "size": 7, "proof": ["aGFzaA"]},
    "exchange.proof-demand/1": {"origin": "health-corridor/pk.nih/x/y/1", "from_size": 3, "size": 7},
    "exchange.leaves/1": {
        "node": "ru.rpn",
        "origin": "health-corridor/ru.rpn/x/y/1",
        "leaves": [{"index": 4, "leaf_hash": "aGFzaA", "path": ["cGF0aA"], "checkpoint": "bm90ZQ"}],
    },
    "exchange.withdrawal/1": {
        "envelope": HASH,
        "envelope_id": "018f0000-0000-7000-8000-000000000000",
        "agreement": OTHER,
        "channel": "counts",
        "message_type": "surveillance.period-counts/1",
        "data_class_of": "aggregate",
        "created_at": "2026-06-01T12:00:00Z",
    },
    "exchange.receipt/1": {"receipt": "d.e.f"},
    "exchange.restore/1": {"epoch": 2, "origins": ["o"], "restored": ["cg"], "lost": ["bA"]},
    "exchange.returned/1": {"token": "a.b.c", "receipt": "d.e.f"},
    "exchange.return-complete/1": {"epoch": 2},
    "exchange.body-deletion/1": {"envelopes": [HASH], "why": "retention", "deleted_at": "2026-06-01T12:00:00Z"},
}


def announced() -> set[str]:
    return {schema for schema in registry.schemas() if not schema.startswith("test.")}


def test_every_announced_message_has_golden_bytes_and_nothing_else_has() -> None:
    # NAME.VERSION.json, or NAME.VERSION.PART.json where each part of a message has bytes of its own.
    names = [path.name for path in (Path(__file__).parents[1]).glob("*/golden/*.json")]
    spelled = [re.fullmatch(r"([a-z.-]+)\.(\d+)(?:\.[a-z]+)?\.json", name) for name in names]
    pillars = {f"{found[1]}/{found[2]}" for found in spelled if found is not None}

    assert None not in spelled
    assert {kind.schema_id() for kind in CONTROL_MESSAGES} == set(SAMPLES) == set(GOLDEN)
    assert announced() == set(SAMPLES) | pillars


@pytest.mark.parametrize("schema", sorted(SAMPLES))
def test_the_bytes_of_a_control_message_never_change(schema: str) -> None:
    (kind,) = (each for each in CONTROL_MESSAGES if each.schema_id() == schema)
    message = kind.model_validate(SAMPLES[schema])

    assert message.to_bytes().decode() == GOLDEN[schema]
    assert kind.from_bytes(GOLDEN[schema].encode()) == message
    assert message.computed_class() is DataClass.PUBLIC


def parts(kind: type[Part]) -> set[type[Part]]:
    found = {kind}
    for field in kind.model_fields.values():
        for each in Part.__subclasses__():
            if each is not Message and each.__name__ in str(field.annotation):
                found |= parts(each)
    return found


def test_every_field_of_every_message_and_of_its_parts_has_a_class() -> None:
    for schema in announced():
        kind = registry.message_type(schema)
        assert kind is not None
        for part in parts(kind):
            assert set(part.field_classes) == set(part.model_fields), part
            assert set(part.field_classes.values()) <= set(DataClass)


def test_a_message_with_an_unclassified_field_cannot_be_written_down() -> None:
    with pytest.raises(TypeError, match="field_class"):

        class Careless(Message):
            """A message whose author forgot the class of a field."""

            schema_name = "test.careless"
            name: str

"""The bytes of the message of a study, act by act, and what they can never hold."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from corridor.exchange.messages import MalformedMessage
from corridor.exchange.rules.classes import DataClass
from corridor.pillars.research.messages import (
    NamedNumbers,
    Parameter,
    ProtocolProposal,
    ProtocolSignature,
    RoundBlock,
    RoundRefusal,
    RunRequest,
    SiteReady,
    SiteStanding,
    StudyMessage,
)

GOLDEN = Path(__file__).parent / "golden"
RUN = "01890a5d-ac96-774b-bcce-b302099a8057"
ACTS: dict[str, Any] = {
    "proposal": ProtocolProposal(document="eyJzdHVkeSI6ImJyZWFzdC1ob3Jtb25lIn0"),
    "signature": ProtocolSignature(signature="c2lnbmF0dXJl"),
    "ready": SiteReady(snapshot="b" * 64),
    "request": RunRequest(run=RUN, analysis="primary"),
    "block": RoundBlock(
        run=RUN,
        analysis="primary",
        round=2,
        step="block",
        snapshot="b" * 64,
        parameters=(Parameter(name="beta", values=(0.25, -1)),),
        numbers=(NamedNumbers(name="gradient", values=(1.5, 12, None)), NamedNumbers(name="n", values=(686, 299))),
    ),
    "refusal": RoundRefusal(
        run=RUN, analysis="primary", round=1, code="disclosure-refused", reasons=("leverage: nodes",)
    ),
    "standing": SiteStanding(standing="paused", reason="Codes of the grade are being checked."),
}


def message(act: str) -> StudyMessage:
    return StudyMessage(
        study="breast-hormone",
        protocol="a" * 64,
        stated_at=datetime(2026, 6, 1, 8, tzinfo=UTC),
        simulated=True,
        **{act: ACTS[act]},
    )


def block_with(value: Any) -> dict[str, Any]:
    block = ACTS["block"].model_dump()
    block["numbers"] = [{"name": "gradient", "values": [value]}]
    return block


def test_every_act_has_a_sample() -> None:
    unfilled = {name for name in StudyMessage.model_fields if StudyMessage.model_fields[name].default is None}

    assert set(ACTS) == unfilled


@pytest.mark.parametrize("act", ACTS)
def test_the_bytes_of_a_version_never_change(act: str) -> None:
    golden = GOLDEN / f"research.study.1.{act}.json"

    assert message(act).to_bytes() == golden.read_bytes().removesuffix(b"\n")


@pytest.mark.parametrize("act", ACTS)
def test_a_message_is_read_back_as_it_was(act: str) -> None:
    assert StudyMessage.from_bytes(message(act).to_bytes()) == message(act)


@pytest.mark.parametrize("act", ACTS)
def test_only_a_block_carries_figures_of_patients_and_nothing_carries_more(act: str) -> None:
    expected = DataClass.AGGREGATE if act == "block" else DataClass.PUBLIC

    assert message(act).computed_class() is expected
    assert message(act).persons() == 0
    assert message(act).person_identifiers() == []


@pytest.mark.parametrize("acts", [(), ("ready", "request")])
def test_a_message_does_exactly_one_thing(acts: tuple[str, ...]) -> None:
    members = message("ready").model_dump(mode="json")
    members |= dict.fromkeys(ACTS) | {act: ACTS[act].model_dump(mode="json") for act in acts}

    with pytest.raises(ValueError, match="exactly one thing"):
        StudyMessage.model_validate(members)


@pytest.mark.parametrize("value", [math.nan, math.inf, "P-0017"])
def test_a_block_holds_nothing_but_finite_numbers(value: Any) -> None:
    with pytest.raises(ValueError, match=r"finite|number"):
        RoundBlock.model_validate(block_with(value))


def test_bytes_with_a_member_that_no_version_knows_are_refused() -> None:
    stranger = message("ready").to_bytes().replace(b'"study":', b'"patients":["P-0017"],"study":', 1)

    with pytest.raises(MalformedMessage):
        StudyMessage.from_bytes(stranger)

"""Two nodes, end to end: what is queued on one side takes effect once on the other, with a receipt on both."""

from __future__ import annotations

from tests.exchange.nodes import Corridor


def test_an_agreement_is_signed_over_the_wire(corridor: Corridor) -> None:
    agreement = corridor.sign()
    for node in corridor:
        with node:
            from corridor.exchange.models import Agreement

            assert Agreement.objects.get(hash=agreement).state == "in-force"


def test_a_figure_takes_effect_once_and_is_receipted_on_both_sides(corridor: Corridor) -> None:
    agreement = corridor.sign()
    sent = corridor["pk.nih"].send(7, to="cn.cdc", agreement=agreement)
    corridor.settle()
    assert corridor["cn.cdc"].effects() == [(sent.envelope_id, 7)]
    (outbound,) = corridor["pk.nih"].crossings(schema="test.figure/1")
    (inbound,) = corridor["cn.cdc"].crossings(schema="test.figure/1")
    assert (outbound.status, inbound.status) == ("accepted", "accepted")
    assert outbound.has_receipt
    assert inbound.has_receipt
    assert outbound.token_hash == inbound.token_hash

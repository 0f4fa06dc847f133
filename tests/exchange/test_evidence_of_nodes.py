"""Evidence that a node writes of a real crossing is what an outsider verifies, from either side."""

from __future__ import annotations

import pytest

from corridor.exchange.rules.evidence import Verdict, verify
from tests.exchange.nodes import Corridor, Node


def prove(node: Node, envelope_id: str) -> bytes:
    with node:
        from corridor.exchange.services.proofs import prove as service

        return service(envelope_id, actor=node.person(), now=node.now)


def fingerprints(corridor: Corridor) -> dict[str, str]:
    pinned = {}
    for node in corridor:
        with node:
            from corridor.exchange.services.log import own_node

            pinned[own_node().node_id] = own_node().fingerprint
    return pinned


def judged(corridor: Corridor, node_id: str, envelope_id: str) -> Verdict:
    return verify(prove(corridor[node_id], envelope_id), fingerprints(corridor))


@pytest.mark.parametrize("side", ["pk.nih", "cn.cdc"])
def test_evidence_of_an_accepted_envelope_is_authentic_from_either_side(corridor: Corridor, side: str) -> None:
    agreement = corridor.sign()
    sent = corridor["pk.nih"].send(7, to="cn.cdc", agreement=agreement)
    corridor.settle()

    verdict = judged(corridor, side, sent.envelope_id)

    assert verdict.status == "authentic", verdict.reasons
    assert verdict.header is not None
    assert verdict.header.id == sent.envelope_id
    assert verdict.earliest_at is not None
    assert verdict.latest_at is not None
    assert any("accepted" in finding for finding in verdict.findings)


def test_evidence_changed_in_any_byte_of_a_sample_is_altered(corridor: Corridor) -> None:
    agreement = corridor.sign()
    sent = corridor["pk.nih"].send(7, to="cn.cdc", agreement=agreement)
    corridor.settle()
    file, trust = prove(corridor["pk.nih"], sent.envelope_id), fingerprints(corridor)

    for place in range(0, len(file), 13):
        changed = file[:place] + bytes([file[place] ^ 1]) + file[place + 1 :]
        assert verify(changed, trust).status == "altered", place


def test_evidence_of_what_the_own_gate_refused_says_so(corridor: Corridor) -> None:
    agreement = corridor.sign()
    refused = corridor["pk.nih"].send(7, to="cn.cdc", agreement=agreement, channel="unknown")
    corridor.settle()

    verdict = judged(corridor, "pk.nih", refused.envelope_id)

    assert refused.status == "refused"
    assert verdict.status == "authentic", verdict.reasons
    assert any("(refused)" in finding for finding in verdict.findings)

"""A study between two nodes, from the protocol to the result at both."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from corridor.accounts.actors import Peer
from corridor.base.textfiles import read_table
from corridor.pillars.research import handlers
from corridor.pillars.research.models import Round
from corridor.pillars.research.rules.disclosure import Policy
from corridor.pillars.research.rules.ledger import Ledger
from corridor.pillars.research.rules.rehearsal import run_on_tables
from corridor.pillars.research.tables import SiteMapping, harmonise
from tests.exchange.nodes import Corridor
from tests.research.studies import GOLDEN, SITES, StudyCorridor, breast_protocol


@pytest.fixture
def study(make_corridor: Callable[..., Corridor]) -> StudyCorridor:
    return StudyCorridor(make_corridor(*SITES.values()), *breast_protocol())


def test_blocks_of_deleted_envelopes_are_forgotten_and_the_joint_result_stays(study: StudyCorridor) -> None:
    study.ready()
    run = study.request("baseline-categories")
    study.settle()
    with study.corridor[SITES["nl"]] as node:
        received = Round.objects.get(run=run, number=1, site="de")
        own = Round.objects.get(run=run, number=1, site="nl")
        assert received.crossing_id is not None
        gone = handlers.bodies_deleted([received.crossing_id], actor=Peer(SITES["de"]), now=node.now)
        left = list(Round.objects.filter(run=run, number=1).values_list("pk", flat=True))
    assert (gone, left) == (1, [own.pk])
    assert study.run(run, "nl").result == study.run(run, "de").result


@pytest.mark.parametrize("analysis", ["primary", "curves"])
def test_both_nodes_come_to_the_result_of_a_local_run(study: StudyCorridor, analysis: str) -> None:
    study.ready()
    run = study.request(analysis)
    study.settle()

    at_nl, at_de = study.run(run, "nl"), study.run(run, "de")
    assert (at_nl.state, at_de.state) == ("done", "done"), (at_nl.reasons, at_de.reasons)
    assert at_nl.result == at_de.result
    policy, tables = Policy.of(study.protocol.disclosure), {}
    for site in SITES:
        rows = read_table(GOLDEN / f"site_{site}.csv")
        tables[site] = harmonise(rows, protocol=study.protocol, mapping=SiteMapping()).table
    ledgers = dict.fromkeys(SITES, Ledger())
    local = run_on_tables(study.protocol, analysis, tables=tables, policy=policy, ledgers=ledgers)
    assert at_nl.result["values"] == local["values"]

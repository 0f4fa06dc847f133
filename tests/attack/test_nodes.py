"""Attacks on the protocol between two real nodes: restored ledgers, malformed acts, blocks of nobody's patients."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from corridor.exchange.models import Crossing
from corridor.exchange.rules.canonical import b64
from corridor.pillars.research.messages import (
    NamedNumbers,
    Parameter,
    ProtocolProposal,
    RoundBlock,
    RunRequest,
)
from corridor.pillars.research.models import ProtocolVersion, Release, Round, Run
from corridor.pillars.research.queries.journal import journal_path
from tests.exchange.nodes import Corridor
from tests.research.studies import SITES, StudyCorridor, breast_protocol

NUMBERS = ["nodes", "er_fmol"]
YOUNGEST_GERMAN = {"nodes": 3.0, "er_fmol": 25.0}


def _difference(members: dict[str, Any]) -> None:
    members["analyses"] = [
        {"id": "all", "kind": "moments", "title": {"en": "all"}, "variables": NUMBERS},
        {
            "id": "older",
            "kind": "moments",
            "title": {"en": "older"},
            "variables": NUMBERS,
            "where": [{"variable": "age_years", "above": 21}],
        },
    ]


@pytest.fixture
def study(make_corridor: Callable[..., Corridor]) -> StudyCorridor:
    return StudyCorridor(make_corridor(*SITES.values()), *breast_protocol(_difference))


def _sums(study: StudyCorridor, run: str) -> list[float]:
    """Return what the Dutch node received of the German one in the first round."""
    with study.nodes["nl"]:
        row = Round.objects.filter(run=run, number=1, site="de").first()
        return [] if row is None else [*row.numbers["n:all"], *row.numbers["sum:all"]]


def _restored(study: StudyCorridor, *, with_journal: bool) -> None:
    """Put the German node's database back to before its first release, as a backup would."""
    with study.nodes["de"]:
        Release.objects.all().delete()
        if not with_journal:
            journal_path().unlink()


@pytest.mark.parametrize("with_journal", [False, True])
def test_a_ledger_put_back_from_a_backup_gives_nothing_away_where_the_journal_lies_outside(
    study: StudyCorridor, with_journal: bool
) -> None:
    study.ready()
    first = study.request("all")
    study.settle()
    _restored(study, with_journal=with_journal)
    second = study.request("older")
    study.settle()

    whole, part = _sums(study, first), _sums(study, second)
    left = [round(one - other, 6) for one, other in zip(whole, part, strict=False)]
    found = left == [1.0, YOUNGEST_GERMAN["nodes"], YOUNGEST_GERMAN["er_fmol"]]
    assert found is not with_journal
    if with_journal:
        run = study.run(second, "nl")
        assert (run.state, run.at_site, run.reasons) == ("refused", "de", ["budget: ledger-closed"])


def test_a_difference_between_two_nodes_is_refused_and_the_reason_names_the_guard(study: StudyCorridor) -> None:
    study.ready()
    first = study.request("all")
    study.settle()
    second = study.request("older")
    study.settle()
    run = study.run(second, "nl")
    assert study.run(first, "nl").state == "done"
    assert (run.state, run.reasons) == ("refused", ["differencing: rows"])


HONEST: dict[str, list[float | None]] = {"n:all": [686], "sum:all": [3000.0, 60000.0]}


@pytest.mark.parametrize(
    ("numbers", "parameters", "state", "reason"),
    [
        ({"n:all": [686]}, {}, "disputed", "does not hold sum:all"),
        ({**HONEST, "sum:all": [3000.0]}, {}, "disputed", "does not hold sum:all"),
        ({**HONEST, "n:all": [None]}, {}, "disputed", "does not hold n:all"),
        (HONEST, {"beta": [50.0]}, "disputed", "parameters-differ"),
        ({**HONEST, "n:all": [-1546]}, {}, "failed", "fewer than two rows"),
        ({**HONEST, "sum:all": [1.7e308, -1.7e308]}, {}, "failed", "leave the range of numbers"),
    ],
    ids=["lacks-a-list", "short-list", "withheld", "other-parameters", "negative-count", "huge-sums"],
)
def test_a_malformed_block_ends_the_run_with_a_reason_and_the_node_works_on(
    study: StudyCorridor,
    numbers: dict[str, list[float | None]],
    parameters: dict[str, list[float]],
    state: str,
    reason: str,
) -> None:
    study.ready()
    run = study.request("all")
    study.work("nl")
    study.corridor.settle()
    block = RoundBlock(
        run=run,
        analysis="all",
        round=1,
        step="sums",
        snapshot="0" * 64,
        parameters=tuple(Parameter(name=name, values=tuple(values)) for name, values in parameters.items()),
        numbers=tuple(NamedNumbers(name=name, values=tuple(values)) for name, values in numbers.items()),
    )
    study.say("de", "nl", block=block)
    study.corridor.settle()
    study.work("nl")

    ended = study.run(run, "nl")
    assert (ended.state, ended.at_site) == (state, "de" if state == "disputed" else ended.at_site)
    assert any(reason in each for each in ended.reasons), ended.reasons
    # The node goes on with what is honest.
    again = study.request("older")
    study.settle()
    assert study.run(again, "nl").state in ("done", "refused")


@pytest.mark.parametrize(
    "document",
    [b"not a protocol", b"{}", b'{"schema":"health-corridor.study/1"}'],
    ids=["no-document", "no-members", "only-a-schema"],
)
def test_a_malformed_protocol_is_refused_and_leaves_nothing_behind(study: StudyCorridor, document: bytes) -> None:
    study.ready()
    study.say("de", "nl", proposal=ProtocolProposal(document=b64(document)))
    study.corridor.settle()
    with study.nodes["nl"]:
        versions = ProtocolVersion.objects.count()
        refused = list(Crossing.objects.filter(direction="in", status="refused").values_list("reason", flat=True))
    assert (versions, len(refused)) == (1, 1)


def test_a_request_for_an_analysis_that_nobody_signed_is_refused(study: StudyCorridor) -> None:
    study.ready()
    study.say("de", "nl", request=RunRequest(run=str(uuid.uuid4()), analysis="rows-of-all"))
    study.corridor.settle()
    with study.nodes["nl"]:
        assert not Run.objects.exists()

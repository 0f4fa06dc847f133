"""The ledger over a restore and over budgets: closed, opened again by two persons, and what a study may tell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps

from corridor.accounts.approvals import SamePerson, approve
from corridor.exchange.models import LogLeaf
from corridor.pillars.research import queries, services
from corridor.pillars.research.models import Release, Told
from corridor.pillars.research.queries import journal
from corridor.pillars.research.rules.disclosure import Breach, Policy, Spent, over_budget
from corridor.pillars.research.services.reopening import LedgerNotClosed, NothingComesBack
from tests.exchange.nodes import Corridor
from tests.research.studies import SITES, StudyCorridor, breast_protocol

NUMBERS = ["nodes", "er_fmol"]


def _two_sets(members: dict[str, Any]) -> None:
    older = [{"variable": "age_years", "above": 21}]
    members["analyses"] = [
        {"id": "all", "kind": "moments", "title": {"en": "all"}, "variables": NUMBERS},
        {"id": "older", "kind": "moments", "title": {"en": "older"}, "variables": NUMBERS, "where": older},
    ]


@pytest.fixture
def study(make_corridor: Callable[..., Corridor]) -> StudyCorridor:
    made = StudyCorridor(make_corridor(*SITES.values()), *breast_protocol(_two_sets))
    made.ready()
    return made


def put_back(study: StudyCorridor) -> None:
    """Let the German database lose what it released, as a backup from before it does."""
    with study.nodes["de"]:
        Release.objects.all().delete()


def reopen(study: StudyCorridor, *, second: str = "ard") -> int:
    with study.nodes["de"] as node:
        asked = services.ask_to_reopen(reason="Disk failure", actor=node.person("stew"), now=node.now)
        return int(approve(asked.request_id, actor=node.person(second), now=node.now).result)


def ended(study: StudyCorridor, analysis: str) -> tuple[str, list[str]]:
    run = study.request(analysis)
    study.settle()
    found = study.run(run, "nl")
    return found.state, list(found.reasons)


def told(study: StudyCorridor) -> queries.LedgerView:
    with study.nodes["de"] as node:
        return queries.ledger(study.protocol.study, actor=node.person("ren"))


def test_what_two_persons_bring_back_counts_again_for_differences_and_repeats(study: StudyCorridor) -> None:
    first = study.request("all")
    study.settle()
    with study.nodes["de"]:
        before = list(Release.objects.order_by("statistic").values_list("statistic", "model", "numbers", "snapshot"))
    put_back(study)
    assert ended(study, "older") == ("refused", ["budget: ledger-closed"])
    assert (told(study).is_closed, told(study).lost, told(study).nameless) == (True, 2, 0)

    assert reopen(study) == 0

    assert not told(study).is_closed
    with study.nodes["de"]:
        again = list(Release.objects.order_by("statistic").values_list("statistic", "model", "numbers", "snapshot"))
        assert again == before
        assert sum(b"ledger_reopened" in bytes(leaf.record) for leaf in LogLeaf.objects.all()) == 1
    assert ended(study, "older") == ("refused", ["differencing: rows"])
    assert ended(study, "all")[0] == "done"
    assert told(study).answers == 2
    assert study.run(first, "nl").state == "done"


def test_one_person_alone_opens_no_ledger(study: StudyCorridor) -> None:
    study.request("all")
    study.settle()
    put_back(study)
    with pytest.raises(SamePerson):
        reopen(study, second="stew")
    assert told(study).is_closed


def test_a_ledger_that_knows_everything_is_not_opened(study: StudyCorridor) -> None:
    study.request("all")
    study.settle()
    with pytest.raises(LedgerNotClosed, match="it knows every answer"):
        reopen(study)


def test_an_answer_of_which_the_name_alone_is_left_keeps_the_ledger_closed(study: StudyCorridor) -> None:
    study.request("all")
    study.settle()
    with study.nodes["de"] as node:
        kept = sorted((node.home / "research" / "released").iterdir())
        assert len(kept) == 2
        assert b"sum:all" not in kept[0].read_bytes()
        kept[0].unlink()
    put_back(study)
    assert reopen(study) == 1
    assert (told(study).lost, told(study).nameless) == (1, 1)
    # What came back counts already; what did not keeps everything else in.
    assert ended(study, "older") == ("refused", ["budget: ledger-closed", "differencing: rows"])
    with pytest.raises(NothingComesBack, match="the ledger stays closed"):
        reopen(study)


def test_answers_about_rows_that_are_gone_stay_lost_until_the_same_rows_are_frozen_anew(study: StudyCorridor) -> None:
    study.request("all")
    study.settle()
    put_back(study)
    with study.nodes["de"] as node:
        for path in (node.home / "research").glob("*.rows"):
            path.rename(path.with_suffix(".away"))
    with pytest.raises(NothingComesBack):
        reopen(study)
    with study.nodes["de"] as node:
        for path in (node.home / "research").glob("*.away"):
            path.rename(path.with_suffix(".rows"))
    assert reopen(study) == 0


def test_what_is_kept_beside_the_journal_is_read_back_as_it_was_and_under_its_own_name_alone(
    study: StudyCorridor,
) -> None:
    study.request("all")
    study.settle()
    with study.nodes["de"] as node:
        one, other = sorted(journal.noted())
        left = journal.kept(one)
        assert left is not None
        assert (left.statistic, left.partners) == (one, (SITES["nl"],))
        assert [int(each.sum()) for each in left.sets] == [686]
        folder = node.home / "research" / "released"
        (folder / one).write_bytes((folder / other).read_bytes())
        assert journal.kept(one) is None


@pytest.mark.parametrize(
    ("spent", "breaches"),
    [
        (Spent(2, 9, {"nl.rotterdam": 90}), []),
        (Spent(3, 9, {}), [Breach("budget", "study")]),
        (Spent(0, 10, {}), [Breach("budget", "persons")]),
        (Spent(0, 0, {"nl.rotterdam": 91, "at.third": 0}), [Breach("budget", "nl.rotterdam")]),
    ],
    ids=["within", "study", "person", "partner"],
)
def test_a_budget_is_kept_to_the_last_answer_and_number(spent: Spent, breaches: list[Breach]) -> None:
    policy = Policy(releases=3, answers_per_person=10, numbers_per_partner=100)
    assert list(over_budget(spent, policy, study="study", numbers=10)) == breaches


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"releases": 1}, "budget: breast-hormone"),
        ({"answers_per_person": 1}, "budget: persons"),
        ({"numbers_per_partner": 5}, "budget: {partner}"),
    ],
    ids=["study", "person", "partner"],
)
def test_an_answer_beyond_a_budget_of_the_protocol_is_refused(
    make_corridor: Callable[..., Corridor], limits: dict[str, int], reason: str
) -> None:
    # Each of the two rounds of the analysis gives 3 numbers.
    def strict(members: dict[str, Any]) -> None:
        _two_sets(members)
        members["disclosure"] |= limits

    study = StudyCorridor(make_corridor(*SITES.values()), *breast_protocol(strict))
    study.ready()
    run = study.request("all")
    study.settle()
    found = study.run(run, "nl")
    partner = SITES["nl" if found.at_site == "de" else "de"]
    assert (found.state, found.reasons) == ("refused", [reason.format(partner=partner)])


def test_budgets_count_each_answer_once_however_often_it_is_asked_for(study: StudyCorridor) -> None:
    for _ in range(3):
        assert ended(study, "all")[0] == "done"
        study.corridor.now += timedelta(minutes=1)
    found = told(study)
    assert (found.answers, found.of_person, found.partners) == (2, 2, ((SITES["nl"], 6),))
    with study.nodes["de"]:
        assert Told.objects.count() == 2


def test_answers_from_before_partners_were_counted_count_for_the_other_sites_of_their_protocol(
    study: StudyCorridor,
) -> None:
    ended(study, "all")
    with study.nodes["de"]:
        before = sorted(Told.objects.values_list("release__statistic", "node", "numbers"))
        Told.objects.all().delete()
        import_module("corridor.pillars.research.migrations.0007_told").tell_of_earlier(apps, None)
        assert sorted(Told.objects.values_list("release__statistic", "node", "numbers")) == before

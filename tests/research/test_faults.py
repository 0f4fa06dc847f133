"""What disturbs a study: killed processes, lost and doubled rounds, acts out of order, sites that pause or leave."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from corridor.exchange import keystore
from corridor.exchange.models import OutboxEntry
from corridor.exchange.services import agreement_acts
from corridor.jobs.models import Job
from corridor.jobs.services import claim
from corridor.pillars.research import queries, services
from corridor.pillars.research.messages import NamedNumbers, RoundBlock, RunRequest, SiteStanding
from corridor.pillars.research.models import ProtocolVersion, Release, Round, Run, SiteState
from corridor.pillars.research.services.runs import StudyEnded
from tests.exchange.nodes import Corridor
from tests.research.studies import GOLDEN, SITES, StudyCorridor, breast_protocol

pytestmark = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)

ROOT = Path(__file__).parents[2]
BLOCKED = "send-before-outbox"
"""The point between computing an answer, with its entry in the ledger, and queueing it for the partner."""


@pytest.fixture
def study(make_corridor: Callable[..., Corridor]) -> StudyCorridor:
    made = StudyCorridor(make_corridor(*SITES.values()), *breast_protocol())
    made.ready()
    return made


def stand(study: StudyCorridor, site: str, standing: Any) -> None:
    """Let the steward of a site state how it stands."""
    node = study.nodes[site]
    with node:
        services.set_standing(
            study=study.protocol.study, standing=standing, reason="", actor=node.person("stew"), now=node.now
        )


def states(study: StudyCorridor, run: str) -> set[str]:
    """Return how a run stands at the sites."""
    return {study.run(run, site).state for site in study.nodes}


def released(study: StudyCorridor, run: str, site: str) -> tuple[list[Any], list[Any], int]:
    """Return a site's blocks of a run as it holds them, as the others hold them, and how often its ledger counts."""
    with study.nodes[site]:
        own = list(Round.objects.filter(run=run, site=site).order_by("number").values_list("number", "numbers"))
        counted = Release.objects.filter(run=run).count()
    held = []
    for other in study.nodes:
        if other != site:
            with study.nodes[other]:
                held += Round.objects.filter(run=run, site=site).order_by("number").values_list("number", "numbers")
    return own, held, counted


def live(study: StudyCorridor, *, point: str, count: int, hours: int) -> int:
    """Let a process of its own work on the study until it dies at a crash point; return its exit status."""
    for node in study.corridor:
        node.wrapper.close()
    keystore.close_keys()
    folder = study.nodes["nl"].home.parent
    (folder / "protocol.json").write_bytes(study.document)
    urls = {node.id: node.database_url for node in study.corridor}
    (folder / "databases.json").write_text(json.dumps(urls), encoding="utf-8")
    now = study.corridor.now + timedelta(hours=hours)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.research.living",
            str(folder),
            study.agreement,
            now.isoformat(),
            point,
            str(count),
        ],
        cwd=ROOT,
        env={
            "DJANGO_SETTINGS_MODULE": "corridor.server.settings",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode in (0, 86), done.stderr[-2000:]
    return done.returncode


def test_a_study_whose_processes_are_killed_again_and_again_comes_to_the_same_numbers(study: StudyCorridor) -> None:
    undisturbed = study.request("baseline-numbers")
    study.settle()
    run = study.request("primary")
    points = [(BLOCKED, 1), ("claim-after-commit", 1), (BLOCKED, 3), ("receive-after-effect", 2)]
    for hours, (point, count) in enumerate(points, start=1):
        assert live(study, point=point, count=count, hours=hours) == 86
    study.corridor.advance(hours=len(points) + 1)
    study.settle()

    assert states(study, run) == {"done"}
    assert study.run(run, "nl").result == study.run(run, "de").result
    for site in study.nodes:
        own, held, counted = released(study, run, site)
        assert own == held
        assert counted == len(own) == len({number for number, _ in own})
    assert states(study, undisturbed) == {"done"}


def test_a_process_killed_between_the_ledger_and_the_outbox_does_not_close_the_ledger_to_other_runs(
    study: StudyCorridor,
) -> None:
    study.request("primary")
    assert live(study, point=BLOCKED, count=1, hours=1) == 86
    study.corridor.advance(hours=2)
    with study.nodes["nl"]:
        Run.objects.update(state=Run.State.FAILED)
    other = study.request("baseline-numbers", "de")
    study.settle()
    assert states(study, other) == {"done"}


def test_a_database_put_back_from_before_a_release_closes_the_ledger(study: StudyCorridor) -> None:
    study.settle()
    study.request("baseline-numbers")
    study.settle()
    with study.nodes["nl"]:
        Release.objects.all().delete()
    other = study.request("baseline-categories")
    study.settle()
    assert (study.run(other, "nl").state, study.run(other, "nl").reasons) == ("refused", ["budget: ledger-closed"])


def test_jobs_of_a_killed_worker_are_made_up_for(study: StudyCorridor) -> None:
    run = study.request("baseline-numbers")
    with study.nodes["nl"] as node:
        while claim(worker="gone:1", now=node.now) is not None:
            pass
        Job.objects.filter(arguments__has_key="run").delete()
    study.corridor.advance(minutes=2)
    study.settle()
    assert states(study, run) == {"done"}


def test_rounds_that_are_lost_and_doubled_give_each_number_once(study: StudyCorridor) -> None:
    run = study.request("primary")
    wire = study.corridor.wire
    wire.lose_requests, wire.lose_replies, wire.double = 2, 3, 4
    study.settle()
    assert states(study, run) == {"done"}
    own, held, counted = released(study, run, "de")
    assert own == held
    assert counted == len(own)


def test_a_partner_that_is_down_for_days_is_named_and_the_run_goes_on_when_it_returns(study: StudyCorridor) -> None:
    nl, de = study.nodes["nl"].id, study.nodes["de"].id
    study.corridor.wire.cut = {(nl, de), (de, nl)}
    run = study.request("primary")
    for _ in range(3):
        study.work("nl")
        study.nodes["nl"].deliver()
        study.corridor.advance(days=1)
    with study.nodes["nl"] as node:
        (view,) = queries.find_study(study.protocol.study, actor=node.person("ren")).runs
    assert (view.state, view.waits_for) == ("running", ("de",))
    study.corridor.wire.cut = set()
    study.settle()
    assert states(study, run) == {"done"}


def test_a_signature_before_its_protocol_waits_at_its_sender(make_corridor: Callable[..., Corridor]) -> None:
    study = StudyCorridor(make_corridor(*SITES.values()), *breast_protocol())
    nl, de = study.nodes["nl"], study.nodes["de"]
    study.propose()
    with de:
        ProtocolVersion.objects.all().delete()
    study.sign("nl")
    nl.deliver()
    assert nl.waiting() == 1
    with de:
        services.propose_study(study.document, agreement=study.agreement, actor=de.person("ren"), now=de.now)
    study.corridor.settle()
    study.sign("de")
    study.corridor.settle()
    for node in (nl, de):
        with node:
            assert ProtocolVersion.objects.get().locked_at is not None


def test_a_block_before_its_request_waits_at_its_sender(study: StudyCorridor) -> None:
    run = study.request("baseline-numbers")
    node = study.nodes["nl"]
    study.work("nl")
    with node:
        request = OutboxEntry.objects.order_by("pk")[0]
        request.due_at = node.now + timedelta(hours=1)
        request.save()
    node.deliver()
    assert node.waiting() == 2
    with study.nodes["de"]:
        assert not Round.objects.filter(run=run).exists()
    study.corridor.advance(hours=2)
    study.settle()
    assert states(study, run) == {"done"}


def test_a_run_waits_while_the_agreement_is_suspended_and_closes_nothing(study: StudyCorridor) -> None:
    run = study.request("primary")
    study.work("nl")
    study.corridor.settle(passes=1)
    de = study.nodes["de"]
    with de:
        agreement_acts.suspend(study.agreement, actor=de.person(), now=de.now)
    study.settle(passes=3)
    assert study.run(run, "de").state == "running"
    with de:
        assert not Release.objects.exists()
        assert not Job.objects.filter(state=Job.State.FAILED).exists()
    de.both(lambda person: agreement_acts.ask_to_resume(study.agreement, actor=person, now=de.now))
    study.corridor.settle()
    study.corridor.advance(minutes=5)
    other = study.request("baseline-numbers", "de")
    study.settle()
    assert states(study, other) == {"done"}
    assert states(study, run) == {"done"}


def test_a_site_without_approval_under_a_suspended_agreement_waits_to_say_so(
    make_corridor: Callable[..., Corridor],
) -> None:
    def expire(members: dict[str, Any]) -> None:
        members["sites"][1]["approvals"][0]["expires_on"] = date(2026, 6, 2)

    study = StudyCorridor(make_corridor(*SITES.values()), *breast_protocol(expire))
    study.ready()
    study.corridor.advance(days=3)
    run = study.request("baseline-numbers")
    study.work("nl")
    study.corridor.settle(passes=1)
    de = study.nodes["de"]
    with de:
        agreement_acts.suspend(study.agreement, actor=de.person(), now=de.now)
    study.work("de")
    with de:
        assert not Job.objects.filter(state=Job.State.FAILED).exists()
    de.both(lambda person: agreement_acts.ask_to_resume(study.agreement, actor=person, now=de.now))
    study.corridor.advance(minutes=5)
    study.settle()
    for site in study.nodes:
        found = study.run(run, site)
        assert (found.state, found.at_site) == ("refused", "de")
        assert "ran out on 2026-06-02" in found.reasons[0]
    assert released(study, run, "de") == ([], [], 0)


def test_a_paused_site_answers_nothing_and_goes_on_when_it_resumes(study: StudyCorridor) -> None:
    stand(study, "de", "paused")
    study.settle()
    run = study.request("baseline-numbers")
    study.settle()
    assert states(study, run) == {"running"}
    assert released(study, run, "de") == ([], [], 0)
    stand(study, "de", "active")
    study.settle()
    assert states(study, run) == {"done"}


def test_standings_that_overtake_one_another_count_in_the_order_in_which_they_were_stated(
    study: StudyCorridor,
) -> None:
    now = study.corridor.now
    study.say("de", "nl", stated_at=now + timedelta(minutes=2), standing=SiteStanding(standing="active"))
    study.corridor.settle()
    study.say("de", "nl", stated_at=now + timedelta(minutes=1), standing=SiteStanding(standing="paused"))
    study.corridor.settle()
    with study.nodes["nl"]:
        assert SiteState.objects.get(site="de").standing == "active"


def test_a_site_that_left_ends_the_runs_that_need_it_and_comes_back_by_an_amendment_alone(
    study: StudyCorridor,
) -> None:
    stand(study, "de", "paused")
    study.settle()
    run = study.request("baseline-numbers")
    study.settle()
    stand(study, "de", "left")
    study.settle()
    for site in study.nodes:
        found = study.run(run, site)
        assert (found.state, found.at_site, found.reasons) == ("failed", "de", ["site-left"])
    study.say("de", "nl", stated_at=study.corridor.now + timedelta(hours=1), standing=SiteStanding(standing="active"))
    study.corridor.settle()
    with study.nodes["nl"]:
        assert SiteState.objects.get(site="de").standing == "left"

    study.amend(lambda members: members.update(authorship="Both institutions."))
    for site in study.nodes:
        study.sign(site)
    study.settle()
    again = study.request("baseline-numbers")
    study.settle()
    assert states(study, again) == {"done"}


def test_a_run_goes_on_under_its_own_version_while_an_amendment_is_signed(study: StudyCorridor) -> None:
    run = study.request("primary")
    study.work("nl")
    study.corridor.settle()
    study.amend(lambda members: members.update(authorship="Both institutions."))
    for site in study.nodes:
        study.sign(site)
    study.settle()
    assert states(study, run) == {"done"}
    before = [released(study, run, site)[2] for site in study.nodes]

    # The same question under the amendment has the same answer, and the ledger does not count it twice.
    again = study.request("primary")
    study.settle()
    assert study.run(again).result == study.run(run).result
    for site, count in zip(study.nodes, before, strict=True):
        own, held, fresh = released(study, again, site)
        assert own == held
        assert (len(own), fresh) == (count, 0)
        assert own == released(study, run, site)[0]


def test_what_is_asked_under_a_version_that_was_amended_is_refused(study: StudyCorridor) -> None:
    first = study.protocol
    study.amend(lambda members: members.update(authorship="Both institutions."))
    for site in study.nodes:
        study.sign(site)
    study.settle()
    second, study.protocol = study.protocol, first
    run = "00000000-0000-4000-8000-000000000001"
    study.say("nl", "de", request=RunRequest(run=run, analysis="primary"))
    study.corridor.settle()
    study.protocol = second
    found = study.run(run, "de")
    assert (found.state, found.reasons) == ("failed", ["protocol-superseded"])
    assert released(study, run, "de") == ([], [], 0)


def test_a_run_under_an_amendment_with_another_variable_waits_for_rows_that_hold_it(study: StudyCorridor) -> None:
    def add(members: dict[str, Any]) -> None:
        members["variables"].append(
            {"name": "event_sens", "type": "flag", "label": {"en": "Recurrence or death, sensitivity"}}
        )
        members["analyses"].append(
            {"id": "sensitivity", "kind": "counts", "title": {"en": "Sensitivity"}, "variables": ["event_sens"]}
        )

    study.amend(add)
    for site in study.nodes:
        study.sign(site)
    study.settle()
    run = study.request("sensitivity")
    study.settle()
    assert states(study, run) == {"running"}
    for site in study.nodes:
        study.freeze(site, GOLDEN / f"site_{site}.csv")
    study.corridor.advance(minutes=2)
    study.settle()
    assert states(study, run) == {"done"}


def test_two_answers_for_one_round_are_a_dispute_at_every_site(study: StudyCorridor) -> None:
    stand(study, "de", "paused")
    study.settle()
    run = study.request("baseline-numbers")
    study.settle()

    def block(value: float) -> RoundBlock:
        numbers = (NamedNumbers(name="n", values=(value,)),)
        return RoundBlock(
            run=run,
            analysis="baseline-numbers",
            round=1,
            step="sums",
            snapshot="0" * 64,
            parameters=(),
            numbers=numbers,
        )

    study.say("de", "nl", block=block(100.0))
    study.say("de", "nl", block=block(101.0))
    study.corridor.settle()
    for site in study.nodes:
        assert study.run(run, site).state == "disputed"
    assert study.run(run, "nl").at_site == "de"


def test_nothing_is_asked_after_the_study_ended(make_corridor: Callable[..., Corridor]) -> None:
    study = StudyCorridor(
        make_corridor(*SITES.values()), *breast_protocol(lambda members: members.update(ends_on=date(2026, 6, 5)))
    )
    study.ready()
    stand(study, "de", "paused")
    study.settle()
    open_run = study.request("baseline-numbers")
    study.settle()
    study.corridor.advance(days=10)
    with pytest.raises(StudyEnded, match="the study ended on 2026-06-05"):
        study.request("baseline-categories")
    stand(study, "de", "active")
    study.settle()
    found = study.run(open_run, "nl")
    assert (found.state, found.at_site, found.reasons) == ("failed", "de", ["study-ended"])


def test_three_sites_come_to_one_result(make_corridor: Callable[..., Corridor], tmp_path: Path) -> None:
    def add(members: dict[str, Any]) -> None:
        members["sites"].append({**members["sites"][0], "id": "at", "node": "at.third", "country": "AT"})

    header, *rows = (GOLDEN / "site_nl.csv").read_text(encoding="utf-8").splitlines()
    files = {}
    for name, part in (("nl", rows[::2]), ("at", rows[1::2])):
        files[name] = tmp_path / f"{name}.csv"
        files[name].write_text("\n".join([header, *part, ""]), encoding="utf-8")
    study = StudyCorridor(make_corridor(*SITES.values(), "at.third"), *breast_protocol(add))
    study.ready({**files, "de": GOLDEN / "site_de.csv"})
    run = study.request("primary")
    study.settle()
    assert states(study, run) == {"done"}
    results: list[Any] = [study.run(run, site).result for site in study.nodes]
    assert results[0] == results[1] == results[2]

"""The pages of studies: what each shows to whom, and what people do there."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from corridor.accounts.access import REAUTHENTICATED_AT
from corridor.accounts.actors import System
from corridor.accounts.services import add_person
from corridor.base.clock import utcnow
from corridor.pillars.research import services
from corridor.pillars.research.models import ProtocolVersion, Run, SiteState
from corridor.pillars.research.rules.protocol import draft_protocol
from tests.exchange.nodes import Corridor
from tests.research.studies import SITES, StudyCorridor, breast_protocol, protocol_text

STUDY = "breast-hormone"


@pytest.fixture
def study(make_corridor: Callable[..., Corridor]) -> StudyCorridor:
    return StudyCorridor(make_corridor(*SITES.values(), now=utcnow()), *breast_protocol())


def client_of(study: StudyCorridor, name: str, *, at: str = "nl", language: str = "en") -> Client:
    """Return a client in which a person of the active node has signed in and given the password."""
    person = study.nodes[at].person(name)
    person.must_change_password = False
    person.save()
    client = Client(headers={"accept-language": language})
    client.force_login(person)
    session = client.session
    session[REAUTHENTICATED_AT] = utcnow().timestamp()
    session.save()
    return client


def page(client: Client, name: str, *args: Any) -> str:
    answer = client.get(reverse(f"research:{name}", args=args))
    assert answer.status_code == 200
    text = str(answer.content.decode())
    return re.sub(r"<(?!a )[^>]*>", "", text) if name == "result" else text


def act(client: Client, name: str, *args: Any, **data: Any) -> str:
    answer = client.post(reverse(f"research:{name}", args=args), data, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_the_list_says_what_waits_for_whom(study: StudyCorridor) -> None:
    study.propose()

    with study.nodes["de"]:
        for_steward = page(client_of(study, "stew", at="de"), "studies")
        for_researcher = page(client_of(study, "ren", at="de"), "studies")

    assert "the protocol waits for this site’s signature" in for_steward
    assert "Nothing waits for you." in for_researcher


def test_a_steward_signs_on_the_page_and_a_second_person_is_asked_for(study: StudyCorridor) -> None:
    study.propose()

    with study.nodes["nl"]:
        told = act(client_of(study, "stew"), "sign", STUDY, study.protocol.hash)

    assert "waits for the yes of a second person" in told


def test_a_steward_reads_the_report_on_the_rows_and_a_researcher_does_not(study: StudyCorridor) -> None:
    study.ready()

    with study.nodes["nl"]:
        assert "Every logical check holds." in page(client_of(study, "stew"), "rows", STUDY)
        refused = client_of(study, "ren").get(reverse("research:rows", args=[STUDY]))

    assert refused.status_code == 403


def test_a_result_is_asked_for_and_shown_with_every_number_that_crossed(study: StudyCorridor) -> None:
    study.ready()
    with study.nodes["nl"]:
        assert "Asked for." in act(client_of(study, "ren"), "request", STUDY, "primary")
        run = Run.objects.get()
    study.settle()

    with study.nodes["nl"]:
        client = client_of(study, "ren")
        shown = page(client, "result", STUDY, run.pk)
        document = json.loads(page(client, "result-json", STUDY, run.pk))
        rows = list(csv.reader(io.StringIO(page(client, "result-csv", STUDY, run.pk).lstrip("\ufeff"))))

    hazard_ratio = document["result"]["values"]["hr"][0]
    assert f"Hormonal treatment: hazard ratio {hazard_ratio:.2f}" in shown
    assert f"0 rows and {document['numbers_crossed']} numbers crossed." in shown.replace(",", "")
    assert "Exact: the numbers that pooled rows would give." in shown
    assert ["hr.1", repr(hazard_ratio)] in [row[-2:] for row in rows]


def test_each_number_that_crossed_leads_to_its_envelope_for_those_who_may_see_it(study: StudyCorridor) -> None:
    study.ready()
    run = study.request("baseline-numbers")
    study.settle()

    with study.nodes["nl"]:
        assert "/exchange/crossings/" in page(client_of(study, "stew"), "result", STUDY, run)
        assert "/exchange/crossings/" not in page(client_of(study, "ren"), "result", STUDY, run)


def test_a_refusal_says_where_why_and_what_helps(make_corridor: Callable[..., Corridor]) -> None:
    def strict(members: dict[str, Any]) -> None:
        members["disclosure"]["smallest_cell"] = 100

    study = StudyCorridor(make_corridor(*SITES.values(), now=utcnow()), *breast_protocol(strict))
    study.ready()
    run = study.request("primary")
    study.settle()

    with study.nodes["nl"]:
        shown = page(client_of(study, "ren"), "result", STUDY, run)

    assert "did not answer, and nothing was sent" in shown
    assert "The site nl did not answer" in shown
    assert "A single row weighs too much in the model. Transform or cap the variable." in shown
    assert "0 rows and 0 numbers crossed." in shown


def test_a_site_pauses_with_a_reason_and_the_other_site_reads_it(study: StudyCorridor) -> None:
    study.ready()
    with study.nodes["de"]:
        client = client_of(study, "stew", at="de")
        assert "The other sites are told" in act(
            client, "standing", STUDY, standing="paused", reason="We check the coding of the grade."
        )
        without_reason = client.post(reverse("research:standing", args=[STUDY]), {"standing": "left", "reason": ""})
        assert without_reason.status_code == 400
        assert SiteState.objects.get(site="de").standing == "paused"
    study.settle()

    with study.nodes["nl"]:
        assert "We check the coding of the grade." in page(client_of(study, "ren"), "study", STUDY)


def test_an_amendment_is_shown_beside_what_it_changes(study: StudyCorridor) -> None:
    study.ready()
    members = tomllib.loads(protocol_text()) | {"version": 2, "supersedes": study.protocol.hash}
    members["disclosure"]["smallest_cell"] = 7
    with study.nodes["nl"] as node:
        version: ProtocolVersion = services.propose_study(
            draft_protocol(members), agreement=study.agreement, actor=node.person("ren"), now=node.now
        )
        shown = page(client_of(study, "ren"), "protocol", STUDY, version.hash)

    assert "What this version changes" in shown
    assert "disclosure.smallest_cell" in shown


def test_the_report_holds_methods_results_deviations_and_what_crossed(study: StudyCorridor) -> None:
    study.ready()
    study.request("baseline-categories")
    study.request("baseline-numbers")
    study.settle()

    with study.nodes["de"]:
        shown = page(client_of(study, "ren", at="de"), "report", STUDY)

    assert "No number about fewer than 5 persons left a site" in shown
    assert "Love plot" in shown
    assert "“Hazard ratios, stratified by site” was not asked for." in shown


def test_a_person_without_a_part_in_research_sees_no_study(study: StudyCorridor) -> None:
    study.propose()
    with study.nodes["nl"] as node:
        add_person("epi", roles=("epidemiologist",), actor=System("test"), now=node.now)
        answer = client_of(study, "epi").get(reverse("research:study", args=[STUDY]))

    assert answer.status_code == 403

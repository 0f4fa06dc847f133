"""The pages of studies: what each shows to whom, and what people do there."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pypdf import PdfReader

from corridor.accounts.access import REAUTHENTICATED_AT
from corridor.accounts.actors import System
from corridor.accounts.approvals import approve
from corridor.accounts.models import ApprovalRequest
from corridor.accounts.services import add_person
from corridor.base.clock import utcnow
from corridor.base.textfiles import read_table
from corridor.pillars.research import services, tasks
from corridor.pillars.research.models import ProtocolVersion, Release, Run, SiteData, SiteState, Snapshot
from corridor.pillars.research.rules import conduct
from corridor.pillars.research.rules.analyses.base import CannotCompute, MalformedBlock
from corridor.pillars.research.rules.engine import AnswerRefused
from corridor.pillars.research.rules.protocol import draft_protocol
from corridor.pillars.research.rules.rows import MissingValues
from corridor.pillars.research.services import arrivals
from corridor.pillars.research.tables import SiteMapping, harmonise
from corridor.pillars.research.texts import ENDINGS
from corridor.pillars.research.views.methods import methods_text
from corridor.science.cox_newton import MonotoneLikelihood, NotConverged
from corridor.science.cox_rows import CoefficientsTooLarge, NoEvents
from corridor.science.linear_systems import CollinearCovariates
from tests.exchange.nodes import Corridor
from tests.research.studies import GOLDEN, SITES, StudyCorridor, breast_protocol, protocol_text

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

    assert "Disclosure control of the site \u2068nl\u2069 does not let its answer leave; nothing was sent" in shown
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


@pytest.mark.parametrize("kinds", [("cox",), ("cox", "kaplan-meier")])
def test_the_methods_quote_the_plan_whatever_is_analysed(kinds: tuple[str, ...]) -> None:
    def fewer(members: dict[str, Any]) -> None:
        members["analyses"] = [each for each in members["analyses"] if each["kind"] in kinds]

    _, protocol = breast_protocol(fewer)

    assert any("Baseline tables by site. Curves on a 30-day grid." in text for text in methods_text(protocol))


def cohort(site: str, change: Callable[[list[str]], list[str]] = list) -> bytes:
    lines = (GOLDEN / f"site_{site}.csv").read_text(encoding="utf-8").splitlines()
    return "\n".join([*change(lines), ""]).encode()


def bring(client: Client, data: bytes, *, mapping: bytes | None = None) -> Any:
    files = {"file": SimpleUploadedFile("cohort.csv", data)}
    if mapping is not None:
        files["mapping"] = SimpleUploadedFile("columns.toml", mapping)
    return client.post(reverse("research:rows", args=[STUDY]), files)


def renamed(lines: list[str]) -> list[str]:
    return [lines[0].replace("hormon", "tamoxifen"), *lines[1:]]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_is_looked_at_before_anything_is_kept_and_then_frozen(study: StudyCorridor, kind: str) -> None:
    buffer = io.BytesIO()
    pl.read_csv(cohort("nl")).write_parquet(buffer)
    study.propose()
    with study.nodes["nl"]:
        client = client_of(study, "stew")
        preview = bring(client, buffer.getvalue() if kind == "parquet" else cohort("nl")).url
        shown = client.get(preview).content.decode()
        before = Snapshot.objects.count()
        told = client.post(preview + "freeze/", follow=True).content.decode()
        frozen = Snapshot.objects.get()
        data = SiteData.objects.get()
        gone = client.get(preview)

    assert "Rows that would be frozen" in shown
    assert "Every logical check holds." in shown
    assert before == 0
    assert "Frozen. Analyses run on these rows once their report is signed." in told
    assert frozen.rows > 1000
    assert (data.source, frozen.signed_at) == ("cohort.csv", None)
    assert gone.status_code == 302


def test_columns_words_and_units_are_chosen_on_the_page_and_kept_as_a_mapping(study: StudyCorridor) -> None:
    def otherwise(lines: list[str]) -> list[str]:
        names = lines[0].split(",")
        grade, age = names.index("grade"), names.index("age_years")
        rows = [line.split(",") for line in renamed(lines)]
        for row in rows[1:]:
            row[grade] = "G3" if row[grade] == "3" else row[grade]
            row[age] = str(int(row[age]) * 12)
        return [",".join(row) for row in rows]

    study.propose()
    with study.nodes["nl"]:
        client = client_of(study, "stew")
        preview = bring(client, cohort("nl", otherwise)).url
        unread = client.get(preview)
        client.post(preview, answers(unread) | {name_of(unread, "Hormonal treatment"): "tamoxifen"})
        read = client.get(preview)
        assert "G3 ×" in read.content.decode()
        unit = name_of(read, "Age at surgery (years)", kind="factor")
        client.post(preview, answers(read) | {name_of(read, "Grade: \u2068G3\u2069"): "3", unit: str(1 / 12)})
        mapping = client.get(preview + "mapping.toml").content.decode()
        client.post(preview + "freeze/")
        plain = services.freeze_rows(
            study=STUDY,
            harmonised=harmonise(read_table(cohort("nl")), protocol=study.protocol, mapping=SiteMapping()),
            source="plain",
            actor=study.nodes["nl"].person("stew"),
            now=study.nodes["nl"].now,
        )
        hashes = set(Snapshot.objects.values_list("hash", flat=True))

    assert "freeze/" not in unread.content.decode()
    assert (
        "A variable of the protocol has no column" in unread.content.decode() or "no column" in unread.content.decode()
    )
    assert tomllib.loads(mapping) == {
        "columns": {"hormon": "tamoxifen"},
        "codes": {"grade": {"G3": "3"}},
        "scale": {"age_years": {"times": 1 / 12, "plus": 0.0}},
    }
    assert hashes == {plain.hash}, "the same rows whatever they were called"


def answers(page: Any) -> dict[str, str]:
    """Return what the form of columns holds, as a browser sends it back."""
    form = page.context["form"]
    return {name: str(form[name].value() or "") for name in form.fields}


def name_of(page: Any, label: str, *, kind: str = "") -> str:
    fields = page.context["form"].fields
    (found, *_) = [name for name, field in fields.items() if field.label == label and name.startswith(kind)]
    return str(found)


def test_a_mapping_comes_as_a_file_or_is_typed_and_its_faults_are_named(study: StudyCorridor) -> None:
    study.propose()
    with study.nodes["nl"]:
        client = client_of(study, "stew")
        refused = bring(client, cohort("nl", renamed), mapping=b'[columns]\nhormone = "tamoxifen"\n')
        assert refused.status_code == 400
        assert "expected the name of a variable of the protocol" in refused.content.decode()
        preview = bring(client, cohort("nl", renamed), mapping=b'[columns]\nhormon = "tamoxifen"\n').url
        assert "Rows that would be frozen" in client.get(preview).content.decode()

        mistyped = client.post(preview, {"mapping": "[columns"})
        assert mistyped.status_code == 400
        assert "the mapping is not TOML" in mistyped.content.decode()
        typed = client.post(
            preview, {"mapping": '[columns]\nhormon = "tamoxifen"\n[constants]\nmeno = "1"\n'}, follow=True
        )
        assert "constant" in typed.content.decode()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda lines: [*lines[:4], lines[4] + ",Secret Name", *lines[5:]], "row 5 has"),
        (lambda lines: [lines[0] + ",hormon", *lines[1:]], "more than once"),
        (lambda lines: [], "The submitted file is empty."),
    ],
)
def test_a_file_that_is_no_table_is_turned_away_by_its_row_and_without_its_values(
    study: StudyCorridor, change: Callable[[list[str]], list[str]], expected: str
) -> None:
    study.propose()
    with study.nodes["nl"]:
        refused = bring(client_of(study, "stew"), cohort("nl", change))

    assert refused.status_code == 400
    assert expected in refused.content.decode()
    assert "Secret" not in refused.content.decode()


def test_cells_that_cannot_be_used_are_named_by_row_and_column_alone(study: StudyCorridor) -> None:
    def broken(lines: list[str]) -> list[str]:
        place = lines[0].split(",").index("age_years")
        cells = lines[7].split(",")
        cells[place] = "Khan 19370412"
        return [*lines[:7], ",".join(cells), *lines[8:]]

    study.propose()
    with study.nodes["nl"]:
        client = client_of(study, "stew")
        shown = client.get(bring(client, cohort("nl", broken)).url).content.decode()

    row = re.search(r"<tr role=\"row\">(?:(?!</tr>).)*Age at surgery.*?</tr>", shown, re.DOTALL)
    assert row
    assert [cell for cell in re.sub(r"<[^>]+>", " ", row[0]).split() if cell == "8"] == ["8"]
    assert "19370412" not in shown


def test_an_uploaded_table_is_its_stewards_alone_and_can_be_thrown_away(study: StudyCorridor) -> None:
    study.propose()
    with study.nodes["nl"]:
        client, other = client_of(study, "stew"), client_of(study, "ard")
        preview = bring(client, cohort("nl")).url
        assert other.get(preview).status_code == 302
        assert client_of(study, "ren").get(preview).status_code == 403
        assert client.get(preview).status_code == 200
        client.post(preview + "discard/")
        assert client.get(preview).status_code == 302
        assert not Snapshot.objects.exists()


def test_a_steward_declines_before_signing_and_every_site_reads_why(study: StudyCorridor) -> None:
    study.propose()
    with study.nodes["de"]:
        client = client_of(study, "stew", at="de")
        assert "Decline, and say why" in page(client, "study", STUDY)
        act(client, "standing", STUDY, standing="left", reason="Our board asks for another consent.")
        after = page(client, "study", STUDY)
    study.settle()

    assert "Decline, and say why" not in after
    assert "Sign the protocol" not in after
    with study.nodes["nl"]:
        shown = page(client_of(study, "ren"), "study", STUDY)
    assert "The site de: left." in shown
    assert "Our board asks for another consent." in shown


def test_why_a_run_ended_is_said_in_words_that_help(study: StudyCorridor) -> None:
    study.ready()
    with study.nodes["de"]:
        act(client_of(study, "stew", at="de"), "standing", STUDY, standing="paused", reason="Checking.")
    study.settle()
    run = study.request("primary")
    study.settle()
    with study.nodes["de"]:
        act(client_of(study, "stew", at="de"), "standing", STUDY, standing="left", reason="Over.")
    study.settle()

    with study.nodes["nl"]:
        shown = page(client_of(study, "ren"), "result", STUDY, run)
        in_urdu = page(client_of(study, "ren", language="ur"), "result", STUDY, run)

    assert "does not take part any more, and this analysis needs every site" in shown
    assert "site-left" not in shown
    assert "اب شریک نہیں" in in_urdu


def test_every_code_with_which_a_run_ends_has_words() -> None:
    source = Path(tasks.__file__).read_text(encoding="utf-8") + Path(arrivals.__file__).read_text(encoding="utf-8")
    named = set(re.findall(r'code="([a-z-]+)"', source)) | {*conduct._REFUSED, *conduct._DISPUTED}
    thrown = {each.code for each in (AnswerRefused, CannotCompute, MalformedBlock, MissingValues)}
    fits = {
        each.code for each in (NoEvents, CoefficientsTooLarge, MonotoneLikelihood, NotConverged, CollinearCovariates)
    }

    assert {"site-left", "study-ended", "two-answers"} <= named
    assert named | thrown | fits | {"protocol-superseded"} <= set(ENDINGS)


@pytest.mark.parametrize("language", ["en", "ru", "zh-hans", "ur"])
def test_the_report_is_a_pdf_in_the_language_of_the_page(study: StudyCorridor, language: str) -> None:
    study.ready()
    study.request("primary")
    study.settle()

    with study.nodes["nl"]:
        client = client_of(study, "ren", language=language)
        answer = client.get(reverse("research:report-pdf", args=[STUDY]))

    if answer.status_code == 302:
        assert language in ("zh-hans", "ur"), "Latin and Cyrillic letters are always there"
        return
    text = " ".join("\n".join(each.extract_text() for each in PdfReader(io.BytesIO(answer.content)).pages).split())
    assert answer["Content-Type"] == "application/pdf"
    assert study.protocol.hash in text.replace(" ", "")
    expected = {"en": "hazard ratio 0.71", "ru": "отношение рисков 0,71", "zh-hans": "风险比为0.71", "ur": "0.71"}
    assert expected[language].replace(" ", "") in text.replace(" ", "")


def test_a_closed_ledger_is_said_on_the_pages_and_opened_again_by_two_stewards(study: StudyCorridor) -> None:
    study.ready()
    study.request("baseline-numbers")
    study.settle()
    with study.nodes["de"]:
        open_page = page(client_of(study, "ren", at="de"), "ledger", STUDY)
        Release.objects.all().delete()
        client = client_of(study, "stew", at="de")
        for_all = page(client, "study", STUDY)
        for_researcher = page(client_of(study, "ren", at="de"), "ledger", STUDY)
        unsaid = client.post(reverse("research:reopen-ledger", args=[STUDY]), {"reason": ""})
        asked = act(client, "reopen-ledger", STUDY, reason="A disk failed.")
        (request,) = ApprovalRequest.objects.filter(kind="research.reopen-ledger")
        approve(request.pk, actor=study.nodes["de"].person("ard"), now=utcnow())
        again = page(client, "ledger", STUDY)

    assert "it knows every answer that left" in open_page
    assert "Numbers to \u2068nl.rotterdam\u2069, in all studies" in open_page
    assert "The disclosure ledger is closed" in for_all
    assert "lacks answers that left (2)" in for_researcher
    assert "Bring them back" not in for_researcher
    assert unsaid.status_code == 400
    assert "waits for the yes of a second person" in asked
    assert "it knows every answer that left" in again

"""A site's own patients followed up by a partner's schedule, and adherence as a study like any other."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from corridor.accounts.actors import Peer
from corridor.accounts.roles import NotPermitted
from corridor.base.clock import utcnow
from corridor.exchange import keystore
from corridor.pillars.research import handlers, queries, services
from corridor.pillars.research.models import CareDocument, FollowedPatients, Run
from corridor.pillars.research.rules.care import (
    StudySite,
    adherence,
    adherence_study,
    follow,
    schedule_from_toml,
    study_toml,
)
from corridor.pillars.research.rules.disclosure import Policy
from corridor.pillars.research.rules.protocol import draft_protocol, read_protocol
from corridor.pillars.research.tables import FaultyPatients, read_patients
from tests.exchange.nodes import Corridor
from tests.research.caring import DE, NL, CareCorridor, client_of, treatment_text
from tests.research.studies import StudyCorridor

TODAY = utcnow().date()
SCHEDULE = treatment_text(name="breast-cancer-follow-up")
STUDY = "follow-up"


@pytest.fixture
def care(make_corridor: Callable[..., Corridor]) -> CareCorridor:
    return CareCorridor(make_corridor, now=utcnow())


def patients(count: int = 60, *, begin: date = TODAY - timedelta(days=520)) -> pl.DataFrame:
    """Return patients of whom most come each time, some sometimes, and every fifteenth is of the small group."""
    rows: list[dict[str, str]] = []
    for number in range(count):
        start = begin + timedelta(days=number % 30)
        came = [start + timedelta(days=122 * time) for time in range(1, 5)][
            : 4 if number < count * 2 // 3 else number % 4
        ]
        rows.append(
            {
                "person": f"P-{number}",
                "start_on": start.isoformat(),
                "risk_group": "low" if number % 15 == 0 else "standard",
                "visit": ";".join(map(str, came)),
                "mammography": (start + timedelta(days=370)).isoformat() if number % 8 else "",
                "street": f"Street {number}",
            }
        )
    return pl.DataFrame(rows)


def register(care: CareCorridor, node: str, schedule: str, frame: pl.DataFrame, *, by: str = "stew") -> None:
    with care[node] as active:
        services.register_patients(
            schedule=schedule, source="patients.csv", frame=frame, actor=active.person(by), now=active.now
        )


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def test_a_partners_schedule_gives_the_due_list_of_ones_own_patients(care: CareCorridor) -> None:
    hash_ = care.publish(DE, SCHEDULE)
    register(care, NL, hash_, patients())

    with care[NL] as node:
        client = client_of(node, "clin")
        shown = words(client.get(reverse("research:due", args=[hash_])).content.decode())
        data = client.get(reverse("research:due-csv", args=[hash_]), {"group": "low", "standing": "overdue"})
        rows = list(csv.DictReader(io.StringIO(data.content.decode().lstrip("\ufeff"))))
        expected = queries.worklist(hash_, on=TODAY, ahead_days=0, actor=node.person("clin")).due

    low = [each for each in expected if each.group == "low" and each.standing == "overdue"]
    assert low
    assert [row["person"] for row in rows] == [each.person for each in low]
    overdue = [each for each in expected if each.standing == "overdue"]
    assert f"{len(overdue)} visits are overdue." in shown


def test_the_list_is_as_of_the_day_that_is_asked_about(care: CareCorridor) -> None:
    hash_ = care.publish(NL, SCHEDULE)
    frame = patients(1, begin=date(2024, 1, 31)).with_columns(visit=pl.lit("2024-05-28"), mammography=pl.lit(""))
    register(care, NL, hash_, frame)

    with care[NL] as node:
        client = client_of(node, "clin")
        url = reverse("research:due", args=[hash_])
        early = words(client.get(url, {"on": "2024-06-15"}).content.decode())
        late = words(client.get(url, {"on": "2024-11-01", "ahead": "0"}).content.decode())
        ahead = words(client.get(url, {"on": "2024-06-15", "ahead": "30"}).content.decode())

    assert "Nobody is overdue, and nothing is due." in early
    assert "1 visit is overdue. They are of 1 patient." in late
    assert "31 July 2024 31 August 2024" in ahead


@pytest.mark.parametrize("name", ["ren", "epi"])
def test_who_does_not_treat_sees_no_patient(care: CareCorridor, name: str) -> None:
    hash_ = care.publish(NL, SCHEDULE)
    register(care, NL, hash_, patients(10))

    with care[NL] as node:
        assert client_of(node, name).get(reverse("research:due", args=[hash_])).status_code == 403
        assert client_of(node, name).get(reverse("research:due-csv", args=[hash_])).status_code == 403
        with pytest.raises(NotPermitted):
            queries.worklist(hash_, on=TODAY, ahead_days=0, actor=node.person(name))


def test_patients_lie_encrypted_without_what_the_schedule_does_not_need_and_go_with_their_key(
    care: CareCorridor,
) -> None:
    hash_ = care.publish(DE, SCHEDULE)
    register(care, NL, hash_, patients())
    with care[NL]:
        first = FollowedPatients.objects.get().name
        stored = (keystore.home() / "research" / f"{first}.rows").read_bytes()
        assert b"PAR1" not in stored
    register(care, NL, hash_, patients(20))

    with care[NL] as node:
        row = FollowedPatients.objects.get()
        files = [path.stem for path in (keystore.home() / "research").glob("*.rows")]
        assert (row.patients, files) == (20, [row.name])
        assert not keystore.has_body_key(keystore.home(), f"research-{first}")
        crossing = CareDocument.objects.get().crossing_id
        assert crossing is not None
        handlers.documents_deleted([crossing], actor=Peer(DE), now=node.now)
        assert not FollowedPatients.objects.exists()
        assert not list((keystore.home() / "research").glob("*.rows"))


def test_a_steward_registers_on_the_page_and_faults_name_rows_and_no_patient(care: CareCorridor) -> None:
    hash_ = care.publish(NL, SCHEDULE)
    faulty = patients(3).with_columns(start_on=pl.lit("Tuesday"))

    with care[NL] as node:
        client, url = client_of(node, "stew"), reverse("research:patients", args=[hash_])
        broken = client.post(url, {"table": upload(faulty)})
        assert broken.status_code == 400
        told = broken.content.decode()
        assert "row 2, column &#x27;start_on&#x27;" in told
        assert "Tuesday" not in told
        assert "P-1" not in told
        answer = client.post(url, {"table": upload(patients(12))}, follow=True).content.decode()
        assert "nothing of it crosses" in answer
        assert "12" in answer
    with pytest.raises(FaultyPatients):
        register(care, NL, hash_, faulty)


def upload(frame: pl.DataFrame) -> SimpleUploadedFile:
    return SimpleUploadedFile("patients.csv", frame.write_csv().encode(), content_type="text/csv")


def adherence_members() -> dict[str, Any]:
    members = adherence_study(
        schedule_from_toml(SCHEDULE),
        study=STUDY,
        sites=[StudySite("nl", NL, "NL", "Centre A"), StudySite("de", DE, "DE", "Centre B")],
        ends_on=date(2035, 12, 31),
        authorship="Both centres",
        smallest_cell=5,
    )
    for site in members["sites"]:
        site["approvals"] = [{"kind": "ethics", "body": "Board", "number": "1", "approved_on": date(2024, 1, 1)}]
    return members


def test_the_protocol_that_is_written_is_the_protocol_that_is_read() -> None:
    members = adherence_members()

    assert draft_protocol(study_toml(members)) == draft_protocol(members)


@pytest.fixture
def study(care: CareCorridor) -> tuple[CareCorridor, StudyCorridor, str]:
    """Return a signed study on adherence, with the schedule's hash and patients registered at both sites."""
    hash_ = care.publish(DE, SCHEDULE)
    document = draft_protocol(adherence_members())
    made = StudyCorridor(care.corridor, document, read_protocol(document), agreement=care.agreement)
    register(care, NL, hash_, patients())
    register(care, DE, hash_, patients(45))
    made.propose()
    for site in made.nodes:
        made.sign(site)
    return care, made, hash_


def freeze(made: StudyCorridor, hash_: str, on: date) -> None:
    for node in made.nodes.values():
        with node:
            row = services.freeze_adherence(study=STUDY, schedule=hash_, on=on, actor=node.person("stew"), now=node.now)
            services.sign_snapshot(snapshot=row.hash, actor=node.person("stew"), now=node.now)
    made.settle()


def test_adherence_leaves_as_the_counts_of_a_study_and_each_number_is_that_of_its_site(
    study: tuple[CareCorridor, StudyCorridor, str],
) -> None:
    care, made, hash_ = study
    freeze(made, hash_, TODAY)

    run = made.request("standard.visit")
    made.settle()

    plan = schedule_from_toml(SCHEDULE)
    found = made.run(run)
    assert (found.state, made.run(run, "de").result) == ("done", found.result), found.reasons
    table = found.result["values"]["variables"]["kept_visit"]
    assert table["codes"][:3] == ["kept-all", "kept-some", "kept-none"]
    for site, frame in (("nl", patients()), ("de", patients(45))):
        expected = adherence(plan, follow(plan, read_patients(frame, schedule=plan), on=TODAY), policy=Policy())[0]
        assert (expected.group, expected.item) == ("standard", "visit")
        assert table["sites"][site][:3] == [expected.all_on_time, expected.some_on_time, expected.none_on_time]
        assert found.result["values"]["n"][site] == expected.persons
    small = made.request("low.visit")
    made.settle()
    with care[NL]:
        assert Run.objects.get(pk=small).state == "refused"


@pytest.mark.parametrize("is_guarded", [False, True])
def test_figures_of_another_day_that_would_single_out_a_patient_are_refused_by_the_ledger(
    study: tuple[CareCorridor, StudyCorridor, str], monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    care, made, hash_ = study
    if not is_guarded:
        monkeypatch.setattr(Policy, "has", lambda policy, guard: guard not in {*policy.off, "differencing"})
    freeze(made, hash_, TODAY)
    first = made.request("standard.visit")
    made.settle()
    before = made.run(first)
    register(care, NL, hash_, patients().filter(pl.col("person") != "P-1"))
    freeze(made, hash_, TODAY)

    second = made.request("standard.visit")
    made.settle()

    after = made.run(second)
    assert before.state == "done"
    if is_guarded:
        assert after.state == "refused"
        assert any(reason.startswith("differencing") for reason in after.reasons)
    else:
        # Whoever subtracts knows how P-1 kept the schedule.
        tables = [run.result["values"]["variables"]["kept_visit"]["sites"]["nl"] for run in (before, after)]
        assert [one - other for one, other in zip(*tables, strict=True)] == [1, 0, 0, 0, 0]


def test_a_steward_freezes_on_the_page_and_is_led_to_the_report(
    study: tuple[CareCorridor, StudyCorridor, str],
) -> None:
    care, _, hash_ = study

    with care[NL] as node:
        client = client_of(node, "stew")
        shown = client.get(reverse("research:due", args=[hash_])).content.decode()
        data = {"study": STUDY, "on": TODAY.isoformat()}
        report = client.post(reverse("research:freeze-adherence", args=[hash_]), data, follow=True).content.decode()
        for_clinician = client_of(node, "clin").get(reverse("research:due", args=[hash_])).content.decode()

    assert "Freeze it for a study" in shown
    assert "kept_visit" in report
    assert "Freeze it for a study" not in for_clinician


def test_the_page_withholds_small_counts_as_a_partner_would_find_them(care: CareCorridor) -> None:
    hash_ = care.publish(NL, SCHEDULE)
    register(care, NL, hash_, patients())

    with care[NL] as node:
        shown = words(client_of(node, "clin").get(reverse("research:due", args=[hash_])).content.decode())

    assert "Low risk, or ductal carcinoma in situ Mammography withheld" in shown

"""Reporting delays: measured by the job that detects, kept, and shown beside the freshness of each source."""

from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import polars as pl
import pytest
from django.test import Client

from corridor.accounts.actors import System
from corridor.pillars.surveillance import queries, services, tasks
from corridor.pillars.surveillance.models import ReportingDelay
from corridor.pillars.surveillance.tables import Mapping
from tests.surveillance.cases import case

pytestmark = pytest.mark.django_db

ACTOR = System("test")
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
DELAYS = [0, 1, 2, 2, 3, 9, 30, 5, 4, 1]


def take_in(rows: list[dict[str, object]], *, source: str) -> None:
    data = pl.DataFrame(rows).write_csv().encode()
    read = tasks.read_file(data, name="rows.csv", kind="line-list", mapping=Mapping(), as_of=NOW)
    tasks.take_in(read, source=source, as_of=NOW, actor=ACTOR, now=NOW)


def reported(number: int, delay_days: int, *, days_ago: int = 3, **fields: object) -> dict[str, object]:
    on = NOW.date() - timedelta(days=days_ago)
    return case(number, onset_on=str(on - timedelta(days=delay_days)), report_on=str(on), **fields)


def test_delay_of_a_source_is_the_median_of_its_cases_reported_lately() -> None:
    old = [reported(100 + number, 50, days_ago=100) for number in range(9)]
    undated = {**reported(201, 1), "onset_on": ""}
    other = [reported(200, 40, classification="discarded"), undated]
    take_in([*(reported(number, days) for number, days in enumerate(DELAYS)), *old, *other], source="Lahore laboratory")
    take_in([reported(1, 7), reported(2, 8)], source="Quetta laboratory")

    rows = queries.measure_delays(actor=ACTOR).rows()

    assert [(disease, days, cases) for _source, disease, days, cases in rows] == [
        ("measles", median(DELAYS), len(DELAYS)),
        ("measles", 7.5, 2),
    ]


def test_node_without_line_lists_has_no_delay() -> None:
    assert queries.measure_delays(actor=ACTOR).is_empty()


def test_delays_measured_again_replace_those_before() -> None:
    take_in([reported(1, 4)], source="Lahore laboratory")
    services.record_delays(queries.measure_delays(actor=ACTOR), actor=ACTOR, now=NOW)
    take_in([reported(1, 4), reported(2, 10)], source="Lahore laboratory")
    services.record_delays(queries.measure_delays(actor=ACTOR), actor=ACTOR, now=NOW)

    assert list(ReportingDelay.objects.values_list("median_days", "cases")) == [(7.0, 2)]
    (source,) = queries.sources(actor=ACTOR, disease="measles")
    assert source.delay_days == 7.0
    assert queries.sources(actor=ACTOR, disease="cholera")[0].delay_days is None


def test_job_that_detects_measures_the_delays_that_board_and_counts_show(appoint: Any) -> None:
    take_in([reported(number, days) for number, days in enumerate((2, 3, 3))], source="Lahore laboratory")
    client = Client()
    client.force_login(appoint("amina", "epidemiologist"))
    assert (
        "Median time from onset to report" not in client.get("/surveillance/counts/?disease=measles").content.decode()
    )

    tasks.detect(arguments={}, now=NOW, job=_Job())

    counts = client.get("/surveillance/counts/?disease=measles").content.decode()
    assert "Lahore laboratory 3 days" in counts
    assert "Onset to report, median days" in client.get("/surveillance/?disease=measles").content.decode()


class _Job:
    """What a running job offers: here it runs alone, and nobody asks whether it lives."""

    def heartbeat(self, done: int, of: int) -> None:
        assert 0 < done <= of

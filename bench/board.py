"""The Monday board: server time of the whole page over five years, three countries, 150 places and ten diseases.

A node of its own is made in a temporary folder and filled through the pillar's own tables. The peer, measured in the
same run, is the list of signals of the same node: the shell, the session and the same queries of signals, no curves.
"""

from __future__ import annotations

import os
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

WEEKS = 261
OWN_PLACES = 50
PARTNERS = (("cn.bench", "CN"), ("ru.bench", "RU"))
DISEASES = (
    "influenza-like-illness",
    "acute-watery-diarrhoea",
    "measles",
    "typhoid-fever",
    "hepatitis-a",
    "brucellosis",
    "dengue",
    "cholera",
    "covid-19",
    "acute-jaundice",
)
REPEATS = 15


def rows() -> list[dict[str, Any]]:
    """Return the median server time of the board and of the list of signals, in one run of one process."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CORRIDOR_HOME"] = str(_home(Path(folder)))
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "corridor.server.settings")
        import django

        django.setup()
        _switch(Path(folder))
        now = datetime.now(UTC)
        _fill(now)
        client = _client(now)
        board = _median(client, "/surveillance/?disease=influenza-like-illness")
        signals = _median(client, "/surveillance/signals/")
    return [
        {
            "what": "board page, server time, five years, three countries, 150 places, ten diseases",
            "ours": f"{1000 * board:,.0f} ms",
            "peer": f"{1000 * signals:,.0f} ms (list of signals, same shell)",
            "ratio": f"{board / signals:,.1f} times the list",
            "at_least": "300 ms",
            "aim": "100 ms",
        }
    ]


def _home(folder: Path) -> Path:
    home = folder / "home"
    home.mkdir()
    (home / "settings.toml").write_text(
        'id = "pk.bench"\nname = "Bench node"\ncountry = "PK"\nsimulated = true\n', "utf-8"
    )
    return home


def _switch(folder: Path) -> None:
    """Let Django use an empty database of this run, whatever it was set up with before."""
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connections

    from corridor.server import env

    described = {**connections.settings["default"], **env.database(None, folder / "home")}
    settings.CORRIDOR_HOME = folder / "home"
    connections["default"].close()
    connections.settings["default"] = described
    del connections["default"]
    call_command("migrate", verbosity=0, interactive=False)


def _client(now: datetime) -> Any:
    from django.test import Client

    from corridor.accounts.actors import System
    from corridor.accounts.services import add_person

    person = add_person("bench", roles=["epidemiologist"], must_change_password=False, actor=System("bench"), now=now)
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(person)
    return client


def _median(client: Any, address: str) -> float:
    taken = []
    for number in range(REPEATS + 3):
        begun = time.perf_counter()
        reply = client.get(address)
        if reply.status_code != 200:
            raise RuntimeError(f"{address} answered {reply.status_code}")
        if number >= 3:
            taken.append(time.perf_counter() - begun)
    return median(taken)


def _fill(now: datetime) -> None:
    """Write five years of weekly figures of one's own and of two partners, with limits and open signals."""
    import numpy as np

    from corridor.pillars.surveillance.models import (
        CountReport,
        DetectionResult,
        DetectionRun,
        Import,
        PartnerCount,
        Signal,
        Source,
        WeekTally,
    )

    random = np.random.default_rng(20261123)
    monday = now.date() - timedelta(days=now.weekday())
    starts = [monday - timedelta(weeks=WEEKS - number) for number in range(WEEKS)]
    source = Source.objects.create(name="bench", added_at=now)
    common = {"source": source, "status": "complete", "file_hash": "0" * 64, "mapping": {}, "simulated": True}
    common |= {"as_of": now, "actor": "bench", "started_at": now, "completed_at": now, "rows": 0, "rejected": 0}
    listed = Import.objects.create(kind="line-list", file_name="list", covers_from_on=starts[0], **common)
    counted = Import.objects.create(kind="counts", file_name="counts", **common)
    places = _places("PK", OWN_PLACES)
    empty = dict.fromkeys(_tally_columns(WeekTally), 0)
    for code in DISEASES:
        counts = random.poisson(20, size=(WEEKS, len(places)))
        WeekTally.objects.bulk_create(
            (
                WeekTally(
                    source=source,
                    entered_in=listed,
                    disease=code,
                    place=place,
                    start_on=start,
                    **(
                        empty
                        | {"report_confirmed": int(counts[row, column]), "onset_confirmed": int(counts[row, column])}
                    ),
                )
                for column, place in enumerate(places)
                for row, start in enumerate(starts)
            ),
            batch_size=5000,
        )
        CountReport.objects.bulk_create(
            (
                CountReport(
                    source=source,
                    entered_in=counted,
                    disease=code,
                    place=place,
                    period_type="week",
                    basis="report",
                    classification="all",
                    start_on=start,
                    sites_reported=19,
                    sites_expected=20,
                )
                for place in places
                for start in starts
            ),
            batch_size=5000,
        )
        run = DetectionRun.objects.create(
            disease=code,
            period_type="week",
            basis="report",
            case_classes="all",
            method="farrington-flexible",
            settings={},
            software="bench",
            as_of=now,
            ran_at=now,
            series=len(places),
            fallbacks=0,
        )
        DetectionResult.objects.bulk_create(
            DetectionResult(
                run=run,
                place=place,
                start_on=start,
                observed=int(counts[-26:][row, column]),
                expected=20.0,
                upperbound=33.0,
                alarm=bool(counts[-26:][row, column] > 33),
                method="farrington-flexible",
            )
            for column, place in enumerate(places)
            for row, start in enumerate(starts[-26:])
        )
        _signals(Signal, run, code, places, starts[-1], now)
        for node, country in PARTNERS:
            _partner(PartnerCount, node, _places(country, OWN_PLACES), code, starts, random, now)


def _tally_columns(model: Any) -> list[str]:
    return [field.name for field in model._meta.fields if field.name.startswith(("report_", "onset_"))]


def _places(country: str, number: int) -> list[str]:
    """Return codes of places: those of the reference data, then districts with invented codes."""
    from corridor.base.reference import places

    known = [place.code for place in places().children(country)][:number]
    return known + [f"{country}-Z{extra:02d}" for extra in range(number - len(known))]


def _signals(model: Any, run: Any, code: str, places: list[str], start: date, now: datetime) -> None:
    import uuid

    model.objects.bulk_create(
        model(
            event=uuid.uuid4(),
            run=run,
            disease=code,
            place=place,
            period_type="week",
            basis="report",
            start_on=start,
            end_on=start + timedelta(days=7),
            observed=40,
            expected=20.0,
            upperbound=33.0,
            method="farrington-flexible",
            severity="watch",
            simulated=True,
            raised_at=now,
            changed_at=now,
        )
        for place in places[:2]
    )


def _partner(
    model: Any, node: str, places: list[str], code: str, starts: list[date], random: Any, now: datetime
) -> None:
    counts = random.poisson(18, size=(len(starts), len(places)))
    model.objects.bulk_create(
        (
            model(
                from_node=node,
                agreement="a" * 64,
                envelope="e" * 36,
                disease=code,
                place=place,
                place_level="admin1",
                period_type="week",
                basis="report",
                case_classes="all",
                start_on=start,
                end_on=start + timedelta(days=7),
                revision=1,
                value=None if counts[row, column] < 5 else int(counts[row, column]),
                withheld="below-5" if counts[row, column] < 5 else "",
                sites_reported=28,
                sites_expected=30,
                expected=None if counts[row, column] < 5 else 18.0,
                limit=None if counts[row, column] < 5 else 31.0,
                simulated=True,
                as_of=now,
                received_at=now,
                status="accepted",
                is_current=True,
            )
            for column, place in enumerate(places)
            for row, start in enumerate(starts)
        ),
        batch_size=5000,
    )

"""A site's node whose processes are killed in the middle of a round: the study goes on when it returns."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from corridor.base.clock import utcnow
from corridor.exchange.models import OutboxEntry
from corridor.jobs.models import Job
from corridor.pillars.research.models import Release, Round, Run
from corridor.server import env
from corridor.server.supervisor import child_command
from tests.exchange.nodes import Corridor, Node
from tests.research.studies import SITES, StudyCorridor, breast_protocol
from tests.soak.processes import ROOT, Part, two_free_ports

PATIENCE_SECONDS = 90.0


def _noisy(members: dict[str, Any]) -> None:
    members["disclosure"]["noise_scale"] = 2.0


@pytest.fixture
def study(make_corridor: Callable[..., Corridor]) -> StudyCorridor:
    # What comes before lets the clock of the corridor run ahead; the processes use the real one.
    corridor = make_corridor(*SITES.values(), now=utcnow() - timedelta(hours=4), first_port=two_free_ports())
    made = StudyCorridor(corridor, *breast_protocol(_noisy))
    made.ready()
    assert corridor.now < utcnow()
    corridor.now = utcnow()
    return made


@pytest.fixture
def parts(study: StudyCorridor, tmp_path: Path) -> Iterator[dict[str, list[Part]]]:
    """Return the processes of each site's node, running; they end with the test, whatever happens."""
    made = {site: _processes(node, tmp_path / f"{site}.log") for site, node in study.nodes.items()}
    try:
        for part in (*made["nl"], *made["de"]):
            part.start()
        yield made
    finally:
        for part in (*made["nl"], *made["de"]):
            part.shoot()


def _processes(node: Node, log: Path) -> list[Part]:
    settings = {"id": node.id, "name": node.id, "country": node.country, "url": node.url, "simulated": True}
    env.write_file(node.home / env.SETTINGS_FILE, settings)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CORRIDOR_")}
    environ = {
        **kept,
        "CORRIDOR_HOME": str(node.home),
        "CORRIDOR_LOG_LEVEL": "ERROR",
        "DATABASE_URL": node.database_url,
        "DJANGO_SETTINGS_MODULE": "corridor.server.settings",
        "PYTHONPATH": f"{ROOT / 'src'}",
    }
    web = child_command("web", "127.0.0.1", node.url.rsplit(":", 1)[1], "1")
    commands = {"web": web, "delivery": child_command("delivery"), "jobs": child_command("jobs")}
    return [Part(name, command, environ, log) for name, command in commands.items()]


def _kill(study: StudyCorridor, site: str, parts: list[Part]) -> None:
    """Kill every process of a node, as a power cut does; leases of the dead end as if their minute had passed."""
    were_alive = [part.shoot() for part in parts]
    assert all(were_alive)
    with study.nodes[site]:
        OutboxEntry.objects.update(leased_until_at=None)
        Job.objects.filter(state=Job.State.RUNNING).update(leased_until=utcnow())


def _until(holds: Callable[[], bool], told: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, told
        time.sleep(0.1)


def _rounds(study: StudyCorridor, run: str, *, at: str, of: str) -> list[tuple[int, Any]]:
    with study.nodes[at]:
        return list(Round.objects.filter(run=run, site=of).order_by("number").values_list("number", "numbers"))


def _is_done(study: StudyCorridor, *runs: str) -> bool:
    for node in study.nodes.values():
        with node:
            if Run.objects.filter(pk__in=runs, state=Run.State.DONE).count() < len(runs):
                return False
    return True


def test_a_study_resumes_when_a_killed_node_returns_and_no_number_has_two_noises(
    study: StudyCorridor, parts: dict[str, list[Part]]
) -> None:
    fit, table = study.request("primary"), study.request("baseline-categories")
    for rounds in (1, 3):
        _until(lambda rounds=rounds: len(_rounds(study, fit, at="de", of="de")) >= rounds, "no round is answered")
        _kill(study, "de", parts["de"])
        answered = len(_rounds(study, fit, at="de", of="de"))
        assert study.run(fit, "nl").state == "running"
        time.sleep(1)
        assert len(_rounds(study, fit, at="de", of="de")) == answered
        for part in parts["de"]:
            part.start()
    _until(lambda: _is_done(study, fit, table), "the study does not resume")

    assert study.run(fit, "nl").result == study.run(fit, "de").result
    for run in (fit, table):
        own = _rounds(study, run, at="de", of="de")
        assert own == _rounds(study, run, at="nl", of="de")
        with study.nodes["de"]:
            assert Release.objects.filter(run=run).count() == len(own)

    # Noise is on the counts of tables: asked again after the kills, they bear the same.
    again = study.request("baseline-categories")
    _until(lambda: _is_done(study, again), "the table is not given again")
    assert _rounds(study, again, at="nl", of="de") == _rounds(study, table, at="nl", of="de")

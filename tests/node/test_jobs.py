"""Jobs: leases, retries, schedules, and a worker that is killed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from corridor.accounts.actors import System
from corridor.accounts.roles import NotPermitted
from corridor.base.errors import InputFault
from corridor.jobs import registry, services, worker
from corridor.jobs.models import Job, Schedule
from tests.conftest import Home

SYSTEM = System("test")
LEASE = timedelta(minutes=1)

pytestmark = pytest.mark.django_db


class FileIsEmpty(InputFault):
    """A fault that a person mends."""

    code = "file-is-empty"


class Diary(list[dict[str, Any]]):
    """What the test's task was called with, and what it is to do."""

    fault: Exception | None = None


@pytest.fixture
def diary() -> Iterator[Diary]:
    """Announce the task ``test.write`` that writes down each call."""
    written = Diary()

    @registry.task("test.write", retries=2, lease=LEASE)
    def run(*, arguments: dict[str, Any], now: datetime, job: registry.JobContext) -> None:
        written.append(arguments)
        job.heartbeat(1, 2)
        if written.fault is not None:
            raise written.fault

    recurrences = dict(registry._recurrences)
    registry._recurrences.clear()
    yield written
    registry._tasks.pop("test.write")
    registry._recurrences.clear()
    registry._recurrences.update(recurrences)


def test_job_runs_once_with_its_arguments(diary: Diary, now: datetime) -> None:
    services.enqueue("test.write", {"n": 1}, actor=SYSTEM, now=now)

    assert worker.run_due(now=now) == 1
    assert worker.run_due(now=now) == 0
    assert diary == [{"n": 1}]
    assert (Job.objects.get().state, Job.objects.get().done_steps) == (Job.State.DONE, 1)


def test_unknown_task_is_refused_at_once(now: datetime) -> None:
    with pytest.raises(registry.UnknownTask):
        services.enqueue("test.nothing", actor=SYSTEM, now=now)


def test_job_waits_until_it_is_due(diary: Diary, now: datetime) -> None:
    services.enqueue("test.write", actor=SYSTEM, now=now, due=now + LEASE)

    assert worker.run_due(now=now) == 0
    assert worker.run_due(now=now + LEASE) == 1


def test_key_makes_enqueueing_idempotent_until_the_job_is_finished(diary: Diary, now: datetime) -> None:
    first = services.enqueue("test.write", actor=SYSTEM, now=now, key="a")
    assert services.enqueue("test.write", actor=SYSTEM, now=now, key="a") == first

    worker.run_due(now=now)
    assert services.enqueue("test.write", actor=SYSTEM, now=now, key="a") != first


def test_failed_attempt_is_repeated_after_pauses_that_double_and_then_given_up(diary: Diary, now: datetime) -> None:
    diary.fault = ValueError("row 17: Amina, 34")
    job = services.enqueue("test.write", actor=SYSTEM, now=now)
    pauses = []
    for _ in range(2):
        worker.run_due(now=now)
        job.refresh_from_db()
        pauses.append((job.due_at - now).total_seconds())
        now = job.due_at
    worker.run_due(now=now)
    job.refresh_from_db()

    assert pauses == [10, 20]
    assert (job.state, job.attempts, len(diary)) == (Job.State.FAILED, 3, 3)


def test_recorded_error_names_the_place_and_never_the_data(diary: Diary, now: datetime) -> None:
    diary.fault = ValueError("row 17: Amina, 34")
    services.enqueue("test.write", actor=SYSTEM, now=now)
    worker.run_due(now=now)

    error = Job.objects.get().error
    assert error.startswith("ValueError")
    assert "test_jobs.py" in error
    assert "Amina" not in error


def test_fault_that_a_person_must_mend_is_not_repeated(diary: Diary, now: datetime) -> None:
    diary.fault = FileIsEmpty("cases.csv has no row; export it again")
    services.enqueue("test.write", actor=SYSTEM, now=now)
    worker.run_due(now=now)

    job = Job.objects.get()
    assert (job.state, job.attempts) == (Job.State.FAILED, 1)
    assert job.error == "file-is-empty: cases.csv has no row; export it again"


def test_silent_worker_loses_the_job_and_what_it_reports_later_is_void(diary: Diary, now: datetime) -> None:
    services.enqueue("test.write", actor=SYSTEM, now=now)
    silent = services.claim(worker="a", now=now)
    assert silent is not None
    assert services.claim(worker="b", now=now + LEASE / 2) is None

    taken = services.claim(worker="b", now=now + LEASE)
    assert taken is not None
    with pytest.raises(services.LeaseLost):
        services.extend_lease(silent, done=1, of=2, now=now + LEASE)
    with pytest.raises(services.LeaseLost):
        services.finish(silent, now=now + LEASE)
    services.finish(taken, now=now + LEASE)
    assert Job.objects.get().state == Job.State.DONE


def test_heartbeat_keeps_the_job(diary: Diary, now: datetime) -> None:
    services.enqueue("test.write", actor=SYSTEM, now=now)
    job = services.claim(worker="a", now=now)
    assert job is not None
    services.extend_lease(job, done=1, of=2, now=now + LEASE / 2)

    assert services.claim(worker="b", now=now + LEASE) is None


def test_job_that_kills_every_worker_is_given_up(diary: Diary, now: datetime) -> None:
    services.enqueue("test.write", actor=SYSTEM, now=now)
    for attempt in range(3):
        assert services.claim(worker="a", now=now + attempt * LEASE) is not None

    assert services.claim(worker="a", now=now + 3 * LEASE) is None
    assert Job.objects.get().state == Job.State.FAILED


def test_schedule_is_due_at_once_and_then_each_interval(diary: Diary, now: datetime) -> None:
    registry.every(timedelta(hours=1), kind="test.write", name="hourly", arguments={"h": 1})

    assert worker.run_due(now=now) == 1
    assert worker.run_due(now=now + timedelta(minutes=59)) == 0
    assert worker.run_due(now=now + timedelta(hours=1)) == 1


def test_turns_that_were_slept_through_are_made_up_once(diary: Diary, now: datetime) -> None:
    registry.every(timedelta(hours=1), kind="test.write", name="hourly")
    worker.run_due(now=now)

    assert worker.run_due(now=now + timedelta(hours=10)) == 1
    assert Schedule.objects.get().next_due_at == now + timedelta(hours=11)


def test_administrator_tries_a_failed_job_again(
    diary: Diary, administrator: Any, epidemiologist: Any, now: datetime
) -> None:
    diary.fault = FileIsEmpty("empty")
    job = services.enqueue("test.write", actor=SYSTEM, now=now)
    worker.run_due(now=now)
    with pytest.raises(NotPermitted):
        services.retry(job.pk, actor=epidemiologist, now=now)

    diary.fault = None
    services.retry(job.pk, actor=administrator, now=now)
    worker.run_due(now=now)

    job.refresh_from_db()
    assert job.state == Job.State.DONE
    with pytest.raises(services.NotFailed):
        services.retry(job.pk, actor=administrator, now=now)


WORK = """
import sys, threading, time
from datetime import timedelta
from pathlib import Path
from corridor.accounts.actors import System
from corridor.base.clock import utcnow
from corridor.jobs import registry, services, worker
from django.conf import settings

home = settings.CORRIDOR_HOME
registry._recurrences.clear()

@registry.task("test.slow", lease=timedelta(minutes=10))
def run(*, arguments, now, job):
    (home / f"began-{job.attempt}").touch()
    while job.attempt == 1:
        time.sleep(0.05)
    (home / "done").touch()
"""
ENQUEUE = 'services.enqueue("test.slow", actor=System("test"), now=utcnow())\n'
LOOP = """
stop = threading.Event()
threading.Thread(target=worker.main, args=(stop,), daemon=True).start()
until = time.monotonic() + 60
while time.monotonic() < until and not (home / "done").exists():
    time.sleep(0.05)
stop.set()
"""


def test_killed_workers_job_is_picked_up_again_at_once(home: Home) -> None:
    first = home.python(WORK + ENQUEUE + LOOP)
    until = time.monotonic() + 60
    while time.monotonic() < until and not (home.path / "began-1").exists():
        time.sleep(0.05)
    assert (home.path / "began-1").exists()
    first.kill()
    first.communicate()

    second = home.python(WORK + LOOP)
    _, complaints = second.communicate(timeout=90)

    assert (home.path / "done").exists(), complaints
    assert (home.path / "began-2").exists()


def test_database_is_the_one_that_was_asked_for() -> None:
    from django.db import connection

    from tests.conftest import ON_POSTGRES

    assert connection.vendor == ("postgresql" if ON_POSTGRES else "sqlite")

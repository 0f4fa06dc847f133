"""The audit trail: one entry a write, in the same transaction, never changed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from corridor.accounts import exports, queries, services, transactions
from corridor.accounts.actors import System
from corridor.accounts.models import AuditEntry, AuditTrailIsAppendOnly, Person
from corridor.accounts.roles import NotPermitted
from corridor.base.errors import CorridorError

SYSTEM = System("test")


class LightsOut(CorridorError):
    """Something unforeseen."""


@transactions.write("test.inner", subject="name")
def inner(*, name: str, actor: Any, now: datetime) -> None:
    transactions.note(inner=name)


@transactions.write("test.outer", subject="name")
def outer(*, name: str, actor: Any, now: datetime, then_fail: bool = False) -> None:
    services.add_person("made.inside", roles=["auditor"], actor=SYSTEM, now=now)
    inner(name=name, actor=actor, now=now)
    if then_fail:
        raise LightsOut


@pytest.fixture
def heard() -> Iterator[list[AuditEntry]]:
    entries: list[AuditEntry] = []
    transactions.on_audit(entries.append)
    yield entries
    transactions._callbacks.remove(entries.append)


@pytest.mark.django_db
def test_nested_writes_make_one_entry_with_all_notes(now: datetime) -> None:
    outer(name="x", actor=SYSTEM, now=now)

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.actor, entry.actor_kind) == ("test.outer", "x", "test", "system")
    assert entry.detail == {"roles": ["auditor"], "inner": "x"}


@pytest.mark.django_db
def test_write_that_fails_leaves_neither_rows_nor_entry(now: datetime) -> None:
    with pytest.raises(LightsOut):
        outer(name="x", actor=SYSTEM, now=now, then_fail=True)

    assert not AuditEntry.objects.exists()
    assert not Person.objects.exists()


def test_refused_write_leaves_an_entry_and_nothing_else(officer: Any, now: datetime) -> None:
    people = Person.objects.count()
    with pytest.raises(NotPermitted):
        services.add_person("other", roles=["auditor"], actor=officer, now=now)

    assert Person.objects.count() == people
    assert AuditEntry.objects.latest("id").outcome == "refused"


@pytest.mark.django_db
def test_listener_hears_each_entry_in_its_transaction(heard: list[AuditEntry], now: datetime) -> None:
    inner(name="x", actor=SYSTEM, now=now)

    assert [entry.action for entry in heard] == ["test.inner"]


@pytest.mark.django_db
def test_listener_that_fails_undoes_the_write(now: datetime) -> None:
    def refuse(entry: AuditEntry) -> None:
        raise LightsOut

    transactions.on_audit(refuse)
    try:
        with pytest.raises(LightsOut):
            outer(name="x", actor=SYSTEM, now=now)
    finally:
        transactions._callbacks.remove(refuse)

    assert not Person.objects.exists()


@pytest.mark.django_db
def test_entry_is_never_changed_or_deleted(now: datetime) -> None:
    inner(name="x", actor=SYSTEM, now=now)
    entry = AuditEntry.objects.get()

    for attempt in (
        entry.save,
        entry.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(actor="y"),
    ):
        with pytest.raises(AuditTrailIsAppendOnly):
            attempt()


def test_function_without_actor_and_now_is_no_write() -> None:
    with pytest.raises(transactions.NotAWrite):
        transactions.write("test.bad")(lambda *, actor: None)


def test_only_the_auditor_reads_it(auditor: Any, officer: Any) -> None:
    assert queries.audit_entries(queries.AuditFilter(), actor=auditor).exists()
    with pytest.raises(NotPermitted):
        queries.audit_entries(queries.AuditFilter(), actor=officer)


def test_filters_narrow_it_by_action_actor_and_outcome(auditor: Any, officer: Any, now: datetime) -> None:
    with pytest.raises(NotPermitted):
        services.add_person("other", roles=[], actor=officer, now=now)

    chosen = queries.AuditFilter(actor="officer", action="accounts.add", outcome="refused")
    assert [entry.subject for entry in queries.audit_entries(chosen, actor=auditor)] == ["other"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_exported_cell_never_runs_as_a_formula(auditor: Any, now: datetime, start: str) -> None:
    inner(name=f"{start}cmd", actor=SYSTEM, now=now)

    rows = list(csv.reader(io.StringIO(exports.audit_csv(AuditEntry.objects.filter(action="test.inner")))))
    assert rows[1][exports.COLUMNS.index("subject")] == f"'{start}cmd"


def test_auditor_downloads_what_the_filter_shows(client: Client, auditor: Any) -> None:
    client.post("/accounts/login", {"username": "auditor", "password": "corridor-test"})

    entries = json.loads(client.get("/accounts/audit/export.json?action=accounts.login").content)
    assert [entry["action"] for entry in entries] == ["accounts.login"]
    assert client.get("/accounts/audit/export.xml").status_code == 404

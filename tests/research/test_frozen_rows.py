"""Frozen rows: encrypted files of the home, the same rows under the same hash, in memory while a run needs them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from django.db import transaction
from django.test.utils import CaptureQueriesContext

from corridor.exchange import keystore
from corridor.exchange.keystore import KeysUnreadable
from corridor.jobs.models import Job
from corridor.pillars.research import services
from corridor.pillars.research.models import PersonNumber, Round, Snapshot
from corridor.pillars.research.queries.row_files import path_of_rows, read_rows
from corridor.pillars.research.rules.rows import SiteTable
from corridor.pillars.research.services import frozen
from corridor.pillars.research.services.person_numbers import lock_ledger, number_persons
from corridor.pillars.research.services.released_sets import _unseal, seal
from corridor.pillars.research.services.row_files import write_rows
from corridor.pillars.research.tables import BrokenSnapshot, pack_snapshot, unpack_snapshot
from tests.exchange.nodes import Corridor
from tests.research.studies import GOLDEN, SITES, StudyCorridor, breast_protocol


@pytest.fixture
def study(make_corridor: Callable[..., Corridor]) -> StudyCorridor:
    made = StudyCorridor(make_corridor(*SITES.values()), *breast_protocol())
    made.propose()
    made.freeze("nl", GOLDEN / "site_nl.csv")
    return made


def test_rows_whose_file_is_lost_are_frozen_anew_under_the_hash_that_was_signed(study: StudyCorridor) -> None:
    with study.nodes["nl"]:
        row = Snapshot.objects.get()
        file = keystore.home() / "research" / f"{row.name}.rows"
        assert b"NL-0001" not in file.read_bytes()
        file.unlink()

    study.freeze("nl", GOLDEN / "site_nl.csv")

    with study.nodes["nl"]:
        assert Snapshot.objects.get().pk == row.pk
        assert len(unpack_snapshot(read_rows(row.name), expected_hash=row.hash)) == row.rows


def test_rows_that_are_not_those_that_were_signed_are_noticed(study: StudyCorridor) -> None:
    with study.nodes["nl"]:
        row = Snapshot.objects.get()

        with pytest.raises(BrokenSnapshot, match="hash differs"):
            unpack_snapshot(read_rows(row.name), expected_hash="0" * 64)


def file_of(row: Snapshot) -> Path:
    """Return where the rows of a snapshot lie in the home that is open."""
    return keystore.home() / "research" / f"{row.name}.rows"


def altered(data: bytes) -> bytes:
    """Return bytes of which one bit in the middle is another."""
    place = len(data) // 2
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_rows_are_read_once_as_long_as_nobody_touches_their_file(study: StudyCorridor) -> None:
    with study.nodes["nl"]:
        row = Snapshot.objects.get()
        table = services.frozen_table(row, site="nl")

        assert services.frozen_table(row, site="nl") is table
        file_of(row).touch()
        again = services.frozen_table(row, site="nl")

    assert again is not table
    assert again.persons == table.persons


def test_rows_that_are_held_are_refused_once_their_file_is_altered_even_under_its_old_times(
    study: StudyCorridor,
) -> None:
    with study.nodes["nl"]:
        row = Snapshot.objects.get()
        services.frozen_table(row, site="nl")
        before = file_of(row).stat()
        with file_of(row).open("r+b") as stream:
            stream.write(altered(file_of(row).read_bytes()))
        os.utime(file_of(row), ns=(before.st_atime_ns, before.st_mtime_ns))

        with pytest.raises(BrokenSnapshot, match="not what was written"):
            services.frozen_table(row, site="nl")


def test_rows_that_are_held_are_gone_once_their_key_or_their_file_is(study: StudyCorridor) -> None:
    with study.nodes["nl"]:
        row = Snapshot.objects.get()
        services.frozen_table(row, site="nl")
        file = file_of(row).rename(file_of(row).with_suffix(".away"))
        with pytest.raises(BrokenSnapshot, match="cannot be read"):
            services.frozen_table(row, site="nl")
        file.rename(file_of(row))
        services.frozen_table(row, site="nl")
        keystore.destroy_body_key(keystore.home(), f"research-{row.name}")
        with pytest.raises(KeysUnreadable):
            services.frozen_table(row, site="nl")


def test_other_rows_in_the_place_of_the_signed_ones_between_two_rounds_are_not_computed_on(
    study: StudyCorridor,
) -> None:
    study.sign("nl")
    study.sign("de")
    study.freeze("de", GOLDEN / "site_de.csv")
    study.corridor.settle()
    run = study.request("primary")
    while not (answered := _answered(study, run)):
        study.work("nl")
        study.work("de")
        study.corridor.settle()
    with study.nodes["nl"]:
        row = Snapshot.objects.get()
        signed = unpack_snapshot(read_rows(row.name), expected_hash=row.hash)
        others = {**signed.columns, "nodes": signed.columns["nodes"] + 1}
        write_rows(row.name, pack_snapshot(SiteTable(others, signed.persons)))

    study.settle()

    assert study.run(run).state == "running"
    assert _answered(study, run) == answered
    with study.nodes["nl"]:
        assert "broken-snapshot" in Job.objects.exclude(error="").latest("pk").error

    study.freeze("nl", GOLDEN / "site_nl.csv")
    study.corridor.advance(hours=1)
    study.settle()
    assert study.run(run).state == "done"


def _answered(study: StudyCorridor, run: str) -> int:
    with study.nodes["nl"]:
        return Round.objects.filter(run=run, site="nl").count()


def test_no_rows_stay_in_memory_once_no_run_is_open(study: StudyCorridor) -> None:
    study.sign("nl")
    study.sign("de")
    study.freeze("de", GOLDEN / "site_de.csv")
    study.corridor.settle()
    homes = {node.home for node in study.nodes.values()}
    run = study.request("baseline-numbers")
    study.work("nl")
    assert homes & {place[0] for place in frozen._held}

    study.settle()

    assert study.run(run).state == "done"
    assert not homes & {place[0] for place in frozen._held}


def _numbers(table: SiteTable, *, rows: str = "") -> list[int]:
    with transaction.atomic():
        lock_ledger()
        return number_persons(table, rows=rows).tolist()


def test_a_person_has_one_number_in_whatever_table_and_spelling(study: StudyCorridor) -> None:
    one, two = SiteTable({}, ("A-1", "B-2", "A-1")), SiteTable({}, (" b-2", "C-3"))
    with study.nodes["nl"]:
        first, second = _numbers(one), _numbers(two)
    assert first[0] == first[2] != first[1]
    assert second[0] == first[1]
    assert second[1] not in first


def test_numbers_beside_frozen_rows_are_those_of_the_database_and_damaged_ones_are_looked_up(
    study: StudyCorridor,
) -> None:
    with study.nodes["nl"] as node:
        row = Snapshot.objects.get()
        table = unpack_snapshot(read_rows(row.name), expected_hash=row.hash)
        with CaptureQueriesContext(node.wrapper) as asked:
            looked_up = _numbers(replace(table))
        assert _asks_for_all_persons(asked)
        with CaptureQueriesContext(node.wrapper) as asked:
            assert _numbers(replace(table), rows=row.name) == looked_up
        assert not _asks_for_all_persons(asked)
        file = path_of_rows(f"{row.name}-persons")
        assert bytes(np.array(looked_up[:4], dtype="<u8")) not in file.read_bytes()

        file.write_bytes(altered(file.read_bytes()))
        assert _numbers(replace(table), rows=row.name) == looked_up
        write_rows(f"{row.name}-persons", np.array(looked_up[:-1], dtype="<u8").tobytes())
        assert _numbers(replace(table), rows=row.name) == looked_up
        write_rows(f"{row.name}-persons", np.array(looked_up[::-1], dtype="<u8").tobytes())
        assert _numbers(replace(table), rows=row.name) == looked_up


def _asks_for_all_persons(asked: CaptureQueriesContext) -> bool:
    statements = [each["sql"] for each in asked.captured_queries if PersonNumber._meta.db_table in each["sql"]]
    return any("WHERE" not in each for each in statements)


def test_numbers_of_a_transaction_that_failed_and_of_a_database_that_was_put_back_are_not_kept(
    study: StudyCorridor,
) -> None:
    table, other = SiteTable({}, ("A-1", "B-2")), SiteTable({}, ("C-3", "A-1", "B-2"))
    with study.nodes["nl"]:
        with transaction.atomic():
            lock_ledger()
            number_persons(table)
            transaction.set_rollback(True)
        _numbers(other)
        after_failure = _numbers(table)
        assert after_failure == _numbers(other)[1:]

        PersonNumber.objects.filter(pk__gte=min(_numbers(other))).delete()
        _numbers(SiteTable({}, ("D-4", "B-2", "A-1")))
        assert _numbers(table) == _numbers(SiteTable({}, table.persons))


def test_sealed_sets_come_back_with_every_row_of_a_person(study: StudyCorridor) -> None:
    sets = [np.array([False, True, False, True]), np.array([0, 2, 0, 1, 3]), np.zeros(4, dtype=bool)]
    with study.nodes["nl"]:
        sealed = seal(sets)
        back = _unseal(sealed)
    assert [each.tolist() for each in back] == [[0, 1, 0, 1], [0, 2, 0, 1, 3], []]

"""Frozen rows: encrypted files of the home, the same rows under the same hash."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from corridor.exchange import keystore
from corridor.pillars.research.models import Snapshot
from corridor.pillars.research.queries.row_files import read_rows
from corridor.pillars.research.tables import BrokenSnapshot, unpack_snapshot
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

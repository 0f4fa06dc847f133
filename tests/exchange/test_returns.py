"""Between a restore and the return of what was lost the ledger has holes: who attacks through them, and who waits."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction

from corridor.accounts.actors import System
from corridor.exchange import registry
from corridor.exchange.messages import ReturnComplete, ReturnedCrossing
from corridor.exchange.models import Agreement, Crossing, LogTree, Partner, ReleasedCell
from corridor.exchange.models import Node as NodeRow
from corridor.exchange.queries.lives import state_at
from corridor.exchange.registry import register_message
from corridor.exchange.rules.envelope import unpack
from corridor.exchange.services import agreement_acts, checkpoints, partners, release, restore, returns, send_control
from tests.exchange.nodes import Corridor, Node, store_effects
from tests.exchange.test_agreement_limits import Table, figures, share

PK, CN, RU = "pk.nih", "cn.cdc", "ru.gamma"
WITHHELD, TOTAL = Table(rows=("PK-SD", "PK-PB"), values=(None, 20)), Table(rows=("PK",), values=(22,))

pytestmark = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _announced() -> None:
    register_message(Table, handler=store_effects)


def copy(node: Node, target: Path) -> Path:
    with node, sqlite3.connect(target) as into:
        connection.ensure_connection()
        connection.connection.backup(into)
    into.close()
    return target


def put_back(node: Node, source: Path, *, by_command: bool = True) -> None:
    with node, sqlite3.connect(source) as old:
        connection.ensure_connection()
        old.backup(connection.connection)
    old.close()
    with node:
        (restore.mark_put_back if by_command else restore.start)(now=node.now)


def open_epoch(corridor: Corridor) -> None:
    corridor[PK].deliver()
    corridor[PK].both(lambda person: restore.ask_to_open_epoch(actor=person, now=corridor.now))
    corridor.settle()


def welcome(corridor: Corridor, by: str) -> None:
    with corridor[by] as node:
        restore.confirm_restore(PK, actor=node.person(), now=node.now)
    corridor.settle()


def owing(corridor: Corridor) -> list[str]:
    with corridor[PK]:
        return release.owing()


def recovered(corridor: Corridor, *nodes: str) -> int | None:
    """Return the withheld figure of PK-SD as the partners work it out together from what they were sent."""
    known: dict[str, int | None] = {}
    for each in nodes:
        with corridor[each]:
            for row in Crossing.objects.filter(direction="in", status="accepted", schema=Table.schema_id()):
                table = Table.from_bytes(unpack(bytes(row.token), keys=partners.transport_keys(PK)).body or b"")
                known |= dict(zip(table.rows, table.values, strict=True))
    whole, part = known.get("PK"), known.get("PK-PB")
    return None if whole is None or part is None or "PK-SD" not in known else whole - part


@pytest.mark.parametrize("is_guarded", [False, True])
def test_no_withheld_figure_is_recovered_through_the_hole_that_a_restore_leaves(
    make_corridor: Callable[..., Corridor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    corridor = make_corridor(CN, PK, RU)
    agreement = figures(corridor)
    node = corridor[PK]
    old = copy(node, tmp_path / "backup.db")
    share(node, WITHHELD, to=CN, agreement=agreement)
    corridor.settle()
    put_back(node, old)
    open_epoch(corridor)
    welcome(corridor, RU)
    if not is_guarded:
        monkeypatch.setattr(release, "owing", list)

    total = share(node, TOTAL, to=RU, agreement=agreement)
    corridor.settle()

    assert recovered(corridor, CN, RU) == (None if is_guarded else 2)
    assert (total.status, total.reason) == (("refused", "returns_owed") if is_guarded else ("queued", ""))
    if is_guarded:
        welcome(corridor, CN)
        later = share(node, TOTAL, to=RU, agreement=agreement)
        assert (later.status, later.reason) == ("refused", "ledger_waits")
        assert owing(corridor) == []


def test_until_every_partner_has_shown_what_it_holds_no_figure_leaves(
    make_corridor: Callable[..., Corridor], tmp_path: Path
) -> None:
    corridor = make_corridor(CN, PK, RU)
    agreement = figures(corridor)
    node = corridor[PK]
    put_back(node, copy(node, tmp_path / "backup.db"))
    corridor.wire.cut = {(PK, RU)}
    node.deliver()
    assert owing(corridor) == [RU]
    assert share(node, TOTAL, to=CN, agreement=agreement).reason == "returns_owed"

    corridor.wire.cut = set()
    corridor.advance(hours=2)
    node.deliver()
    assert owing(corridor) == []
    assert share(node, TOTAL, to=CN, agreement=agreement).status == "queued"


def test_who_holds_nothing_that_was_lost_is_not_waited_for(
    make_corridor: Callable[..., Corridor], tmp_path: Path
) -> None:
    corridor = make_corridor(CN, PK, RU)
    agreement = corridor.sign((CN, PK))
    node = corridor[PK]
    old = copy(node, tmp_path / "backup.db")
    node.send(7, to=CN, agreement=agreement)
    corridor.settle()
    put_back(node, old, by_command=False)
    node.deliver()
    corridor.advance(hours=2)
    node.deliver()
    open_epoch(corridor)
    assert owing(corridor) == [CN]
    welcome(corridor, CN)
    assert owing(corridor) == []


def test_only_what_came_after_the_backup_is_returned(corridor: Corridor, tmp_path: Path) -> None:
    agreement = corridor.sign()
    node = corridor[PK]
    for value in (7, 8, 9):
        node.send(value, to=CN, agreement=agreement)
        corridor.settle()
    corridor.advance(hours=1)
    old = copy(node, tmp_path / "backup.db")
    node.send(10, to=CN, agreement=agreement)
    corridor.settle()
    put_back(node, old)
    open_epoch(corridor)
    welcome(corridor, CN)
    with node:
        returned = Crossing.objects.filter(direction="in", schema=ReturnedCrossing.schema_id())
        assert returned.count() < 5
        assert Crossing.objects.filter(schema="test.figure/1", status="accepted").count() == 4


def test_what_could_not_be_taken_back_is_still_owed(corridor: Corridor, tmp_path: Path) -> None:
    agreement = figures(corridor)
    node = corridor[PK]
    old = copy(node, tmp_path / "backup.db")
    share(node, WITHHELD, to=CN, agreement=agreement)
    corridor.settle()
    put_back(node, old)
    open_epoch(corridor)
    with corridor[CN] as china, transaction.atomic():
        broken = ReturnedCrossing(token="a.b.c", receipt="d.e.f")
        send_control(broken, to=PK, actor=System("test"), now=china.now)
    welcome(corridor, CN)
    with node:
        assert ReleasedCell.objects.count() == 2
    assert owing(corridor) == [CN]


def test_who_deleted_what_it_received_tells_no_end_of_its_return(corridor: Corridor, tmp_path: Path) -> None:
    agreement = figures(corridor)
    node = corridor[PK]
    old = copy(node, tmp_path / "backup.db")
    share(node, WITHHELD, to=CN, agreement=agreement)
    corridor.settle()
    with corridor[CN]:
        assert Crossing.objects.filter(direction="in", schema=Table.schema_id()).update(token=b"") == 1
    put_back(node, old)
    open_epoch(corridor)
    welcome(corridor, CN)
    assert owing(corridor) == [CN]


def test_the_end_of_a_return_for_another_epoch_ends_nothing(corridor: Corridor, tmp_path: Path) -> None:
    agreement = figures(corridor)
    node = corridor[PK]
    old = copy(node, tmp_path / "backup.db")
    share(node, WITHHELD, to=CN, agreement=agreement)
    corridor.settle()
    put_back(node, old)
    open_epoch(corridor)
    with corridor[CN] as china, transaction.atomic():
        early = send_control(ReturnComplete(epoch=1), to=PK, actor=System("test"), now=china.now)
    corridor.settle()
    with corridor[CN]:
        early.refresh_from_db()
        assert (early.status, early.reason) == ("refused", "unknown_subject")
    assert owing(corridor) == [CN]


def test_two_persons_may_go_on_without_a_partner_that_returns_nothing(corridor: Corridor, tmp_path: Path) -> None:
    agreement = figures(corridor)
    node = corridor[PK]
    old = copy(node, tmp_path / "backup.db")
    share(node, WITHHELD, to=CN, agreement=agreement)
    corridor.settle()
    put_back(node, old)
    open_epoch(corridor)

    with node:
        returns.ask_to_forgo(CN, reason="the institute was closed", actor=node.person("first"), now=node.now)
    assert owing(corridor) == [CN]
    node.both(lambda person: returns.ask_to_forgo(CN, reason="the institute was closed", actor=person, now=node.now))
    assert owing(corridor) == []
    with node:
        assert Partner.objects.get().owed == Partner.Owed.FORGONE
        with pytest.raises(returns.NothingOwed):
            returns.ask_to_forgo(CN, reason="again", actor=node.person("first"), now=node.now)
    assert share(node, TOTAL, to=CN, agreement=agreement).status == "queued"


def test_a_backup_from_before_an_earlier_restore_is_put_back_as_well(corridor: Corridor, tmp_path: Path) -> None:
    agreement = corridor.sign()
    node = corridor[PK]
    old = copy(node, tmp_path / "backup.db")
    for value in (7, 8):
        corridor[CN].send(value + 10, to=PK, agreement=agreement)
        node.send(value, to=CN, agreement=agreement)
        corridor.settle()
        put_back(node, old)
        open_epoch(corridor)
        welcome(corridor, CN)
        corridor.advance(hours=1)

    with node:
        assert (NodeRow.objects.get().epoch, NodeRow.objects.get().state) == (3, "running")
        assert set(LogTree.objects.values_list("epoch", flat=True)) == {1, 3}
    assert [value for _, value in node.effects()] == [17, 18]
    assert [value for _, value in corridor[CN].effects()] == [7, 8]
    node.send(9, to=CN, agreement=agreement)
    corridor.settle()
    assert [value for _, value in corridor[CN].effects()] == [7, 8, 9]
    for each in corridor:
        with each:
            assert not any(check.faults for check in checkpoints.verify_log(actor=System("test"), now=each.now))


def state(corridor: Corridor, agreement: str) -> str:
    with corridor[PK] as node:
        row = Agreement.objects.filter(hash=agreement).first()
        return "" if row is None else str(state_at(row, node.now))


@pytest.mark.parametrize("is_taken_back", [True, False])
def test_what_the_node_itself_stated_about_agreements_is_known_again(
    corridor: Corridor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_taken_back: bool
) -> None:
    if not is_taken_back:
        for schema in [schema for schema in registry.schemas() if schema.startswith("exchange.")]:
            known = registry._registrations[schema]
            monkeypatch.setitem(registry._registrations, schema, replace(known, returned=None))
    agreement, node = corridor.sign(), corridor[PK]
    old = copy(node, tmp_path / "backup.db")
    with node:
        agreement_acts.suspend(agreement, actor=node.person(), now=node.now)
    corridor.settle()
    # One proposed by China and one by Pakistan, each signed by both, all of it after the backup.
    later = [
        corridor.sign(end_at=corridor.now + timedelta(days=99)),
        corridor.sign((PK, CN), instrument=corridor.source()["instrument"] | {"reference": "T-2"}),
    ]

    put_back(node, old)
    open_epoch(corridor)
    welcome(corridor, CN)
    for _ in range(6):
        corridor.advance(minutes=30)
        corridor.settle()

    assert (state(corridor, agreement) == "suspended") is is_taken_back
    assert ([state(corridor, each) for each in later] == ["in-force"] * 2) is is_taken_back
    assert (owing(corridor) == []) is is_taken_back or not is_taken_back

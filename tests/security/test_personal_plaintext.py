"""I6: nothing personal that crosses is plain text in a database, its WAL, a body, a log or a backup of either node."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from django.db import connection, transaction

from corridor.accounts.actors import System
from corridor.exchange.messages import Message, field_class
from corridor.exchange.models import SealedBody
from corridor.exchange.registry import Received, register_message
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.services import backups, send
from tests.exchange.nodes import Corridor, Node, store_effects

SECRET = "Zulaikha Testperson of Nowhere 4711"
OPEN = "An open remark that anyone may find 0815"
_read: list[str] = []


class Referral(Message):
    """A letter about one invented person, for tests."""

    schema_name: ClassVar[str] = "test.letter"
    data_class: ClassVar[DataClass] = DataClass.PERSONAL
    letter: Annotated[str, field_class(DataClass.PERSONAL)]

    def persons(self) -> int:
        return 1

    def person_identifiers(self) -> list[str]:
        return [self.letter]


class Remark(Message):
    """Text that travels open, for tests: what shows that the search below finds what is there."""

    schema_name: ClassVar[str] = "test.remark"
    data_class: ClassVar[DataClass] = DataClass.PUBLIC
    text: Annotated[str, field_class(DataClass.PUBLIC)]


def read_referrals(batch: Sequence[Received], *, actor: Any, now: datetime) -> None:
    """Show that the receiver could read what came, and store nothing of it."""
    _read.extend(received.message.letter for received in batch)  # type: ignore[attr-defined]
    store_effects(batch, actor=actor, now=now)


def _spellings(text: str) -> list[bytes]:
    """Return `text` as it may hide: plain, in hexadecimal digits, and in base64 at each of its three offsets."""
    data = text.encode()
    spelled = [data, data.hex().encode(), data.hex().upper().encode(), text.encode("utf-16-le"), data[::-1]]
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + data)
        inner = coded[4 if offset else 0 : -4]
        spelled += [inner, inner.replace(b"+", b"-").replace(b"/", b"_")]
    return spelled


def _files(node: Node, folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted([*node.home.rglob("*"), *folder.rglob("*")]):
        if path.is_file():
            yield path.name, path.read_bytes()


def _tables(node: Node) -> Iterator[tuple[str, bytes]]:
    """Yield every row of a PostgreSQL database as text, binary columns in hexadecimal digits."""
    with node, connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            for (row,) in cursor.fetchall():
                yield table, row.encode()
                # base64url inside a binary column is hidden once more by its digits
                for piece in row.split('"'):
                    if piece.startswith(("\\\\x", "\\x")):
                        yield table, bytes.fromhex(piece.lstrip("\\").removeprefix("x"))


def _where(text: str, corridor: Corridor, folder: Path) -> set[str]:
    """Return in what of both nodes `text` stands in any spelling."""
    spelled, found = _spellings(text), set()
    for node in corridor:
        sources = [*_files(node, folder)] + ([*_tables(node)] if node.wrapper.vendor == "postgresql" else [])
        found |= {name for name, data in sources if any(each in data for each in spelled)}
    return found


@pytest.fixture
def crossed(corridor: Corridor) -> Corridor:
    """Return two nodes between which one letter and one open remark have crossed."""
    register_message(Referral, handler=read_referrals)
    register_message(Remark, handler=store_effects)
    (figures,) = corridor.source()["channels"]
    personal = {
        "id": "referrals",
        "message": "test.letter/1",
        "data_class": "personal",
        "purpose": "care",
        "disclosure": [],
        "caps": {"envelopes_per_day": 10, "persons_per_year": 10},
    }
    remarks = {"id": "remarks", "message": "test.remark/1", "data_class": "public", "disclosure": []}
    agreement = corridor.sign(channels=[figures, figures | personal, figures | remarks])
    sender = corridor["pk.nih"]
    for message, channel in ((Referral(letter=SECRET), "referrals"), (Remark(text=OPEN), "remarks")):
        with sender, transaction.atomic():
            crossing = send(
                message, to="cn.cdc", agreement=agreement, channel=channel, actor=System("test"), now=sender.now
            )
            assert (crossing.status, crossing.reason) == ("queued", "")
    return corridor


def test_a_personal_body_is_read_by_its_receiver_and_found_nowhere(
    crossed: Corridor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _read.clear()
    folder = tmp_path / "backups"
    folder.mkdir()
    with caplog.at_level(logging.DEBUG):
        crossed.wire.lose_replies = 1
        crossed.settle()
        for node in crossed:
            if node.wrapper.vendor == "sqlite":
                with node:
                    backups.backup(folder / f"{node.id}.tar", home=node.home, actor=System("test"), now=node.now)
    assert _read == [SECRET]
    with crossed["pk.nih"]:
        assert SealedBody.objects.filter(crossing__schema="test.letter/1").count() == 1
    # The search is no blind one: what travelled open is found by it, in the database and in the backup.
    open_text, secret = _where(OPEN, crossed, folder), _where(SECRET, crossed, folder)
    assert len(open_text) >= 1
    assert secret == set()
    assert SECRET not in caplog.text


def test_the_wire_carries_no_personal_plaintext(crossed: Corridor) -> None:
    crossed.settle()
    sent = b"".join(body for _, _, _, body in crossed.wire.log)

    assert any(each in sent for each in _spellings(OPEN))
    assert not any(each in sent for each in _spellings(SECRET))


@pytest.mark.parametrize("make", [str.encode, lambda text: base64.urlsafe_b64encode(b"ab" + text.encode())])
def test_every_spelling_is_searched_for(make: Callable[[str], bytes]) -> None:
    assert any(each in make(SECRET) for each in _spellings(SECRET))

"""Envelopes received end to end in batches of 100, one core, SQLite with full sync, beside one message per commit.

Ours is the whole path of `exchange.services.rounds.answer` between the bytes of a signed HTTP request and those of
the signed reply: verify request and envelopes, gate, inbox, handler, log, checkpoint, full-sync commit, one signed
receipt for each envelope. The peer is what one would write instead without a batch: for each message a JWS verified
by joserfc, a Django savepoint with two ORM inserts, a full-sync commit and a signed JWS in reply; no agreement, no
gate, no log tree. X-Road's security server is not to be had here: not measured.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

ENVELOPES = 6_000
PEER_MESSAGES = 1_500
BATCH = 100
WARM_UP = 5


def rows(*, number: int = ENVELOPES) -> list[dict[str, Any]]:
    """Return what was measured: envelopes a second of ours, of the peer, and their ratio, in one run of one process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "corridor.server.settings")
    django.setup()
    from tests.exchange.nodes import Corridor

    with tempfile.TemporaryDirectory() as folder:
        corridor = Corridor(Path(folder) / "corridor")
        agreement = corridor.sign()
        requests = _requests(corridor, agreement, number + WARM_UP * BATCH)
        wall, cpu = _timed(lambda request: _take(corridor, *request), requests, warm_up=WARM_UP)
        peer_wall, peer_cpu = _peer(corridor, PEER_MESSAGES)
        corridor.close()
    ours, theirs = number / wall, PEER_MESSAGES / peer_wall
    return [
        {
            "what": "envelopes received end to end, one core, batches of 100, SQLite with full sync",
            "ours": f"{ours:,.0f} a second ({number / cpu:,.0f} a second of CPU)",
            "peer": (
                f"{theirs:,.0f} a second ({PEER_MESSAGES / peer_cpu:,.0f} of CPU; one JWS, one commit each); "
                "X-Road: not measured"
            ),
            "ratio": f"{ours / theirs:,.1f} times",
            "at_least": "1,000 a second",
            "aim": "2,500 a second",
        }
    ]


def _timed(step: Callable[[Any], None], work: list[Any], *, warm_up: int = 0) -> tuple[float, float]:
    """Return wall and CPU seconds of `step` over `work`, without the first `warm_up`."""
    for item in work[:warm_up]:
        step(item)
    wall, cpu = time.perf_counter(), time.process_time()
    for item in work[warm_up:]:
        step(item)
    return time.perf_counter() - wall, time.process_time() - cpu


def _requests(corridor: Any, agreement: str, number: int) -> list[tuple[dict[str, str], bytes]]:
    """Return signed requests of 100 envelopes each, as the sender puts them on the wire."""
    from tests.exchange.nodes import Figure

    from corridor.exchange import delivery, keystore
    from corridor.exchange.rules import http_signature
    from corridor.exchange.rules.classes import DataClass
    from corridor.exchange.rules.envelope import Header, new_id, pack
    from corridor.exchange.services.inbox import Posted
    from corridor.exchange.services.rounds import Round

    sender, receiver = corridor["pk.nih"], corridor["cn.cdc"]
    requests = []
    with sender:
        key = keystore.own_keys().transport
        for start in range(0, number, BATCH):
            posted = []
            for offset in range(BATCH):
                header = Header(
                    id=new_id(sender.now),
                    from_=sender.id,
                    to=receiver.id,
                    agreement=agreement,
                    channel="figures",
                    schema=Figure.schema_id(),
                    purpose="disease-surveillance",
                    data_class=DataClass.AGGREGATE,
                    persons=0,
                    created_at=sender.now,
                )
                body = Figure(place="PK-SD", value=5 + (start + offset) % 500).to_bytes()
                posted.append(Posted(pack(header, body, key=key)))
            nonce = f"bench-{start:012d}-000000"
            body = Round(nonce=nonce, envelopes=tuple(posted)).to_bytes()
            headers = http_signature.sign_request(
                method="POST",
                authority=receiver.url.removeprefix("http://"),
                path=delivery.ROUND_PATH,
                body=body,
                key=key,
                nonce=nonce,
                created_at=sender.now,
            )
            requests.append((headers, body))
    return requests


def _take(corridor: Any, headers: dict[str, str], body: bytes) -> None:
    reply = corridor.wire.take(corridor["cn.cdc"], headers, body)
    replies = json.loads(reply.body)["replies"]
    if reply.status != 200 or any(each["status"] != "receipt" for each in replies):
        raise RuntimeError(f"an envelope was not receipted: {reply.status}")


def _peer(corridor: Any, number: int) -> tuple[float, float]:
    """Return wall and CPU seconds for `number` messages taken one by one."""
    from django.db import transaction
    from joserfc import jws
    from joserfc.jwk import OKPKey

    from corridor.exchange.models import UnauthenticatedCount

    key = OKPKey.generate_key("Ed25519")
    header = {"alg": "Ed25519", "typ": "message"}
    body = json.dumps({"id": "x" * 36, "place": "PK-SD", "value": 7, "padding": "y" * 300})
    registry = jws.JWSRegistry(algorithms=["Ed25519"])
    tokens = [jws.serialize_compact(header, f"{number:06d}{body}", key, registry=registry) for number in range(number)]
    node = corridor["cn.cdc"]

    def take(item: tuple[int, str]) -> None:
        place, token = item
        with node:
            jws.deserialize_compact(token, key, registry=registry)
            with transaction.atomic():
                for table in ("inbox", "log"):
                    UnauthenticatedCount.objects.create(hour_at=node.now, fault=f"{table} {place}", count=1)
            jws.serialize_compact(header, "receipt", key, registry=registry)

    return _timed(take, list(enumerate(tokens)))

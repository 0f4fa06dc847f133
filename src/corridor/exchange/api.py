"""The described API that partners' nodes call: a signed round of envelopes, the card, whether this node is well."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.db.utils import DatabaseError
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI, Schema, Status

from corridor.base.clock import utcnow
from corridor.base.errors import CorridorError
from corridor.exchange import queries
from corridor.exchange.rules import http_signature
from corridor.exchange.rules.http_signature import SignedMessage
from corridor.exchange.services import log, partners, rounds, unauthenticated

ROUND_PATH = "/exchange/v1/envelopes"
MAX_BYTES = 4 * 1024 * 1024
ROUNDS_PER_MINUTE = 1_200
"""How many requests one partner may make in a minute, counted in each process by itself."""
_log = logging.getLogger(__name__)
_rounds: dict[str, tuple[datetime, int]] = {}

api = NinjaAPI(
    title="Health Corridor: exchange between nodes",
    version="1",
    description="Requests and replies are signed (RFC 9421) with the transport keys on the nodes' cards.",
    urls_namespace="exchange-v1",
    docs_url=None,
)


class Problem(Schema):
    """What was wrong with a request: a stable code, and a sentence in English."""

    code: str
    text: str


class Health(Schema):
    """Whether the node takes envelopes now."""

    node: str
    state: str
    epoch: int


@dataclass(frozen=True, slots=True)
class WireReply:
    """A reply as it leaves: status, header fields, body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Rejected(CorridorError):
    """A request that is answered with a problem instead of a round."""

    def __init__(self, status: int, code: str, text: str) -> None:
        self.status, self.problem_code = status, code
        super().__init__(text)


def take_round(*, headers: Mapping[str, str], body: bytes, now: datetime, path: str = ROUND_PATH) -> WireReply:
    """Take one request as it came over the wire and return the reply: size first, then signature, then content.

    Parameters
    ----------
    headers : mapping of header fields
    body : bytes
    now : datetime, aware
        This node's clock.
    path : str
        As requested.
    """
    signed: SignedMessage | None = None
    peer = ""
    try:
        _check_form(headers, body)
        peer, signed = _authenticate(headers, body, path=path, now=now)
        _check_quota(peer, now=now)
        offset = (signed.created_at - now).total_seconds()
        came = rounds.Round.from_bytes(body)
        answered = rounds.answer(came, peer=peer, now=now, clock_offset_seconds=offset)
        return _reply(200, answered.to_bytes(), signed=signed, peer=peer, now=now)
    except Rejected as fault:
        return _problem(fault.status, fault.problem_code, str(fault), signed=signed, peer=peer, now=now)
    except rounds.MalformedRound as fault:
        return _problem(400, fault.code, str(fault), signed=signed, peer=peer, now=now)
    except (rounds.PeerOnHold, log.NotSigning) as fault:
        return _problem(503, fault.code, str(fault), signed=signed, peer=peer, now=now)
    except DatabaseError as fault:
        # Locked, full or read-only: nothing was written, the partner comes again.
        _log.warning("a round could not be written: %s", type(fault).__name__)
        return _problem(
            503, "storage-unavailable", "this node cannot write now; come again", signed=signed, peer=peer, now=now
        )


def _check_form(headers: Mapping[str, str], body: bytes) -> None:
    names = {name.lower(): value for name, value in headers.items()}
    if names.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise Rejected(415, "content-encoding", "send the body as it is: compressed bodies are refused")
    if len(body) > MAX_BYTES:
        raise Rejected(413, "too-large", f"a request has at most {MAX_BYTES} bytes; send fewer envelopes")


def _check_quota(peer: str, *, now: datetime) -> None:
    """Turn a partner away that asks too often, before anything is verified or opened for it."""
    minute = now.replace(second=0, microsecond=0)
    since, number = _rounds.get(peer, (minute, 0))
    number = number + 1 if since == minute else 1
    _rounds[peer] = (minute, number)
    if number > ROUNDS_PER_MINUTE:
        raise Rejected(429, "quota", f"at most {ROUNDS_PER_MINUTE} requests a minute; wait, and bring more in each")


def _authenticate(headers: Mapping[str, str], body: bytes, *, path: str, now: datetime) -> tuple[str, SignedMessage]:
    node = queries.own_node()
    if node is None:
        raise Rejected(503, "no-node", "this home has no node yet")
    owners = partners.owners_of_transport_keys()
    try:
        signed = http_signature.verify_request(
            headers,
            method="POST",
            authority=urlsplit(node.url).netloc,
            path=path,
            body=body,
            keys={kid: public for kid, (_, public) in owners.items()},
            now=now,
        )
    except CorridorError as fault:
        unauthenticated.count_unauthenticated(fault.code, now=now)
        raise Rejected(401, fault.code, "the request is not signed by a pinned partner, or not for this node") from None
    return owners[signed.kid][0], signed


def _reply(status: int, body: bytes, *, signed: SignedMessage | None, peer: str, now: datetime) -> WireReply:
    headers = {"Content-Type": "application/json"}
    if signed is not None:
        key = partners.speaking_key(peer)
        headers |= http_signature.sign_reply(status=status, body=body, request=signed, key=key, created_at=now)
    return WireReply(status, headers, body)


def _problem(status: int, code: str, text: str, *, signed: SignedMessage | None, peer: str, now: datetime) -> WireReply:
    body = json.dumps({"code": code, "text": text}).encode()
    reply = _reply(status, body, signed=signed, peer=peer, now=now)
    if status == 503:
        _log.info("%s is asked to come again: %s", peer or "a caller", code)
        reply.headers["Retry-After"] = "5"
    return reply


_ROUND_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["version", "nonce", "hello", "envelopes", "swaps"],
    "additionalProperties": False,
    "properties": {
        "version": {"const": 1},
        "nonce": {"type": "string", "maxLength": 100},
        "hello": {"type": "boolean"},
        "envelopes": {
            "type": "array",
            "maxItems": 100,
            "items": {
                "type": "object",
                "required": ["token"],
                "additionalProperties": False,
                "properties": {"token": {"type": "string"}, "ciphertext": {"type": "string"}},
            },
        },
        "swaps": {
            "type": "array",
            "maxItems": 200,
            "items": {
                "type": "object",
                "required": ["statement", "proof"],
                "additionalProperties": False,
                "properties": {
                    "statement": {"type": "string"},
                    "proof": {"type": "array", "maxItems": 128, "items": {"type": "string"}},
                },
            },
        },
    },
}
_ANSWER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["version", "replies", "swaps"],
    "properties": {
        "version": {"const": 1},
        "replies": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["status", "receipt", "reason", "leaf"],
                "properties": {
                    "status": {"enum": ["receipt", "deferred", "unauthenticated"]},
                    "receipt": {"type": "string"},
                    "reason": {"type": "string"},
                    "leaf": {
                        "type": ["object", "null"],
                        "description": "beside a receipt: its leaf, and the path to the checkpoint in this answer",
                        "required": ["hash", "path"],
                        "properties": {
                            "hash": {"type": "string"},
                            "path": {"type": "array", "maxItems": 64, "items": {"type": "string"}},
                        },
                    },
                },
            },
        },
        "swaps": _ROUND_SCHEMA["properties"]["swaps"],
    },
}
_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["code", "text"],
    "properties": {"code": {"type": "string"}, "text": {"type": "string"}},
}


def _described(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


@api.post(
    "/envelopes",
    summary="Bring envelopes and checkpoints, get receipts and checkpoints",
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ROUND_SCHEMA}}},
        "responses": {
            200: _described("one reply for each envelope, in order", _ANSWER_SCHEMA),
            400: _described("the body is no round", _PROBLEM_SCHEMA),
            401: _described("not signed by a pinned partner", _PROBLEM_SCHEMA),
            413: _described("more than 4 MiB", _PROBLEM_SCHEMA),
            415: _described("compressed", _PROBLEM_SCHEMA),
            429: _described("too many requests in this minute", _PROBLEM_SCHEMA),
            503: _described("come again later; nothing was written", _PROBLEM_SCHEMA),
        },
    },
)
def envelopes(request: HttpRequest) -> HttpResponse:
    """Take one signed round."""
    length = request.headers.get("Content-Length", "")
    body = request.read(MAX_BYTES + 1) if not length.isdigit() or int(length) <= MAX_BYTES else b"\0" * (MAX_BYTES + 1)
    reply = take_round(headers=request.headers, body=body, now=utcnow(), path=request.path)
    return HttpResponse(reply.body, status=reply.status, headers=reply.headers)


@api.get(
    "/card",
    summary="The card file of this node",
    openapi_extra={
        "responses": {
            200: _described("the first card, or the chain from first to latest", {"type": "object"}),
            503: _described("no node yet", _PROBLEM_SCHEMA),
        }
    },
)
def card(request: HttpRequest) -> HttpResponse:
    """Return the card file; whether it is this node's is decided by comparing its fingerprint over another way."""
    del request
    if queries.own_node() is None:
        return _plain(_problem(503, "no-node", "this home has no node yet", signed=None, peer="", now=utcnow()))
    return HttpResponse(partners.own_card_file(), content_type="application/json")


@api.get("/health", summary="Whether this node takes envelopes now", response={200: Health, 503: Problem})
def health(request: HttpRequest) -> Status[Any]:
    """Return the node's state; nothing of its business."""
    del request
    node = queries.own_node()
    if node is None:
        return Status(503, {"code": "no-node", "text": "this home has no node yet"})
    return Status(200, {"node": node.node_id, "state": node.state, "epoch": node.epoch})


def _plain(reply: WireReply) -> HttpResponse:
    return HttpResponse(reply.body, status=reply.status, headers=reply.headers)

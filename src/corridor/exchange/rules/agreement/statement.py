"""A party's signed statement about an agreement, its place in the party's sequence, and the replay of all of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from corridor.base.errors import InputFault
from corridor.exchange.rules.agreement.document import SCHEMA as AGREEMENT_SCHEMA
from corridor.exchange.rules.agreement.document import Agreement
from corridor.exchange.rules.agreement.life import Event, ForbiddenTransition, Kind, Life, advance
from corridor.exchange.rules.canonical import b64, canonical, parse_canonical, sha256_hex, unb64, utc_text, utc_time
from corridor.exchange.rules.keys import SigningKey, sign_statement
from corridor.exchange.rules.keys import verify_statement as verify_signature
from corridor.exchange.rules.versions import check_version

SCHEMA = "health-corridor.statement/1"
_MEMBERS = frozenset(
    {"schema", "agreement", "party", "sequence", "previous", "kind", "stated_at", "effective_at", "document_signature"}
)


class MalformedStatement(InputFault):
    """The bytes are no statement of this schema."""

    code: ClassVar[str] = "malformed-statement"


class UnsignedStatement(InputFault):
    """The signature of the statement, or of the agreement inside it, is not that of the party's agreement key."""

    code: ClassVar[str] = "unsigned-statement"


@dataclass(frozen=True)
class Statement:
    """What one party states about one agreement.

    Attributes
    ----------
    sequence : int
        1, 2, 3 … for each party and agreement.
    previous : str
        Hash of the party's statement before this one; empty for the first.
    effective_at : datetime or None
        For a termination: when it takes effect.
    document_signature : bytes or None
        For a signature: the party's signature over the agreement's canonical bytes.
    hash : str
        SHA-256 of the statement's canonical bytes without its signature.
    signed : bytes
        The signed form, as it travels and is stored.
    """

    agreement: str
    party: str
    sequence: int
    previous: str
    kind: Kind
    stated_at: datetime
    effective_at: datetime | None
    document_signature: bytes | None
    hash: str
    signed: bytes

    def event(self, *, recorded_at: datetime) -> Event:
        """Return the event that this statement is at the node that recorded it at `recorded_at`."""
        return Event(
            kind=self.kind,
            party=self.party,
            stated_at=self.stated_at,
            recorded_at=recorded_at,
            effective_at=self.effective_at,
        )


def make_statement(
    kind: Kind,
    *,
    agreement: str,
    party: str,
    after: "Statement | None",
    key: SigningKey,
    now: datetime,
    effective_at: datetime | None = None,
    document: bytes | None = None,
) -> Statement:
    """Return a new statement, signed with the party's agreement key.

    Parameters
    ----------
    after : Statement or None
        The party's last statement under this agreement.
    document : bytes or None
        The agreement's canonical bytes, needed for (and only for) a signature.
    """
    if (document is not None) != (kind is Kind.SIGNATURE):
        raise MalformedStatement("a signature signs the document, other statements do not; pass it only there")
    body = {
        "schema": SCHEMA,
        "agreement": agreement,
        "party": party,
        "sequence": 1 if after is None else after.sequence + 1,
        "previous": "" if after is None else after.hash,
        "kind": kind.value,
        "stated_at": utc_text(now),
        "effective_at": None if effective_at is None else utc_text(effective_at),
        "document_signature": None
        if document is None
        else b64(sign_statement(document, kind=AGREEMENT_SCHEMA, key=key)),
    }
    signature = sign_statement(canonical(body), kind=SCHEMA, key=key)
    return parse_statement(canonical({"statement": body, "signature": b64(signature)}))


def parse_statement(signed: bytes) -> Statement:
    """Return the statement in `signed`; its signature is not checked here (see `verify_statement`)."""
    value = parse_canonical(signed)
    if (
        not isinstance(value, dict)
        or set(value) != {"statement", "signature"}
        or not isinstance(value["signature"], str)
    ):
        raise MalformedStatement("expected an object of statement and signature")
    body = value["statement"]
    if isinstance(body, dict):
        check_version(body.get("schema"), known=SCHEMA, what="a statement on an agreement")
    if not isinstance(body, dict) or set(body) != _MEMBERS or body["schema"] != SCHEMA:
        raise MalformedStatement(f"expected the members of {SCHEMA}")
    try:
        statement = _statement(body, signed)
    except (ValueError, TypeError, InputFault) as fault:
        raise MalformedStatement(f"a member of the statement has not the expected form: {fault}") from fault
    if (statement.document_signature is None) == (statement.kind is Kind.SIGNATURE):
        raise MalformedStatement("document_signature belongs to a signature, and to nothing else")
    if statement.sequence < 1 or (statement.sequence == 1) != (statement.previous == ""):
        raise MalformedStatement("expected sequence 1 with no previous hash, or a later one with it")
    return statement


def verify_statement(statement: Statement, *, public: bytes, document: bytes) -> None:
    """Check both signatures of `statement` with the party's agreement key.

    Raises
    ------
    UnsignedStatement
        If either signature fails.
    """
    value = parse_canonical(statement.signed)
    body, signature = canonical(value["statement"]), unb64(value["signature"])
    if not verify_signature(body, kind=SCHEMA, public=public, signature=signature):
        raise UnsignedStatement(f"the statement of {statement.party} is not signed by its agreement key")
    signature_of_document = statement.document_signature
    if signature_of_document is not None and not verify_signature(
        document, kind=AGREEMENT_SCHEMA, public=public, signature=signature_of_document
    ):
        raise UnsignedStatement(f"the agreement is not signed by the agreement key of {statement.party}")


class Place(StrEnum):
    """Where a statement falls in its party's sequence."""

    NEXT = "next"
    WAITS = "waits"
    REPEAT = "repeat"
    FORK = "fork"


def place_of(statement: Statement, *, known: Iterable[Statement]) -> Place:
    """Return where `statement` falls among the `known` ones of the same party and agreement.

    A fork (another statement under a number that is taken, or one that does not follow its predecessor) is no slip:
    the party signed two histories.
    """
    by_sequence = {other.sequence: other for other in known}
    same = by_sequence.get(statement.sequence)
    if same is not None:
        return Place.REPEAT if same.hash == statement.hash else Place.FORK
    before, after = by_sequence.get(statement.sequence - 1), by_sequence.get(statement.sequence + 1)
    if before is not None and before.hash != statement.previous:
        return Place.FORK
    if after is not None and after.previous != statement.hash:
        return Place.FORK
    is_next = set(range(1, statement.sequence)) <= set(by_sequence)
    return Place.NEXT if is_next else Place.WAITS


@dataclass(frozen=True)
class Recorded:
    """A statement with the moment at which this node recorded it."""

    statement: Statement
    recorded_at: datetime


@dataclass(frozen=True)
class Replay:
    """The life that statements make, and what became of each.

    Attributes
    ----------
    forbidden : frozenset of str
        Hashes of statements that the state forbade when their turn came; they changed nothing.
    waiting : frozenset of str
        Hashes of statements whose predecessor has not arrived.
    """

    life: Life
    forbidden: frozenset[str]
    waiting: frozenset[str]


def replay(
    agreement: Agreement,
    records: Iterable[Recorded],
    *,
    is_proposed: bool,
    superseded_at: datetime | None = None,
) -> Replay:
    """Return the life of `agreement` after `records`, given in the order in which this node recorded them.

    A statement takes effect in its party's sequence; a suspension or termination takes effect at once, and not again
    when its predecessors arrive. A statement that was waiting takes effect when the missing one was recorded.
    """
    life = Life(agreement, is_proposed=is_proposed, superseded_at=superseded_at)
    forbidden: set[str] = set()
    waiting: dict[tuple[str, int], Statement] = {}
    next_sequence: dict[str, int] = {}
    done: set[str] = set()
    overtaken_up_to: dict[str, int] = {}

    for record in records:
        statement = record.statement
        waiting[statement.party, statement.sequence] = statement
        turn = [statement] if statement.kind.overtakes else []
        while (statement.party, next_sequence.get(statement.party, 1)) in waiting:
            sequence = next_sequence.get(statement.party, 1)
            turn.append(waiting.pop((statement.party, sequence)))
            next_sequence[statement.party] = sequence + 1
        for due in turn:
            if due.hash in done:
                continue
            done.add(due.hash)
            # What comes after a later suspension of the same party is overtaken: that one holds.
            suspends_or_resumes = due.kind in (Kind.SUSPENSION, Kind.RESUMPTION)
            if suspends_or_resumes and due.sequence < overtaken_up_to.get(due.party, 0):
                continue
            if due.kind is Kind.SUSPENSION:
                overtaken_up_to[due.party] = due.sequence
            try:
                life = advance(life, due.event(recorded_at=record.recorded_at))
            except ForbiddenTransition:
                forbidden.add(due.hash)
    return Replay(
        life=life,
        forbidden=frozenset(forbidden),
        waiting=frozenset(statement.hash for statement in waiting.values() if statement.hash not in done),
    )


def _statement(body: dict[str, Any], signed: bytes) -> Statement:
    texts = [body[key] for key in ("agreement", "party", "previous", "kind", "stated_at")]
    if not all(isinstance(text, str) for text in texts) or type(body["sequence"]) is not int:
        raise TypeError("texts and a whole number were expected")
    document_signature = body["document_signature"]
    return Statement(
        agreement=body["agreement"],
        party=body["party"],
        sequence=body["sequence"],
        previous=body["previous"],
        kind=Kind(body["kind"]),
        stated_at=utc_time(body["stated_at"]),
        effective_at=None if body["effective_at"] is None else utc_time(body["effective_at"]),
        document_signature=None if document_signature is None else unb64(document_signature),
        hash=sha256_hex(canonical(body)),
        signed=signed,
    )

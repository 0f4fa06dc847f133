"""What people of this node do with agreements: draft, propose, sign, open, suspend, resume, amend, terminate.

What opens something for others, or lifts a halt, takes two persons. What halts takes one, because a halt cannot wait.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.approvals import Outcome, ask, is_one_person_mode, isolated, register_approval
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import InputFault, Refused
from corridor.exchange import keystore, registry
from corridor.exchange.messages import (
    AgreementActivation,
    AgreementProposal,
    AgreementResumption,
    AgreementSignatureNotice,
    AgreementSuspension,
    AgreementTermination,
    Message,
)
from corridor.exchange.models import Agreement as AgreementRow
from corridor.exchange.models import LogTree
from corridor.exchange.queries.lives import unknown_messages
from corridor.exchange.rules.agreement import (
    AMENDABLE,
    Event,
    ForbiddenTransition,
    Kind,
    State,
    Statement,
    advance,
    draft,
    make_statement,
    read_agreement,
)
from corridor.exchange.rules.canonical import b64
from corridor.exchange.services import log
from corridor.exchange.services.agreements import (
    document_of,
    find,
    lock,
    record_statement,
    refresh,
    replay_of,
    statements_of,
    store,
)
from corridor.exchange.services.outbox import send_control
from corridor.exchange.services.partners import NoSuchPartner, check_own_keys, lock_partner

PERMISSION = "exchange.sign_agreement"
SIGN = "exchange.sign-agreement"
RESUME = "exchange.resume-agreement"
TERMINATE = "exchange.terminate-agreement"

_Stated = type[AgreementActivation | AgreementResumption | AgreementSuspension | AgreementTermination]

_STATEMENTS: Mapping[Kind, _Stated] = {
    Kind.ACTIVATION: AgreementActivation,
    Kind.SUSPENSION: AgreementSuspension,
    Kind.RESUMPTION: AgreementResumption,
    Kind.TERMINATION: AgreementTermination,
}


class NotAParty(InputFault):
    """A drafted agreement does not join this node and pinned partners."""

    code: ClassVar[str] = "not-a-party"


class NotAmendable(Refused):
    """The agreement has ended or never began; it cannot be amended."""

    code: ClassVar[str] = "not-amendable"


class UnknownMessage(Refused):
    """A channel of the agreement carries a message that this node does not know, or not in that version."""

    code: ClassVar[str] = "unknown-message"

    def __init__(self, schemas: Sequence[str]) -> None:
        self.schemas = tuple(schemas)
        known = sorted({each for schema in schemas for each in registry.versions(schema.rpartition("/")[0])})
        beside = f" (it knows {', '.join(known)})" if known else ""
        super().__init__(
            f"this node does not know {', '.join(schemas)}{beside}; upgrade before you sign, "
            "or agree on a version that both nodes know"
        )


@write("exchange.draft_agreement")
def draft_agreement(
    source: Mapping[str, Any], *, texts: Mapping[str, bytes], actor: Actor, now: datetime
) -> AgreementRow:
    """Store a draft made from `source`; nothing is sent and nothing opens.

    Parameters
    ----------
    source : mapping
        Members of the document (see `rules.agreement.draft`). With ``supersedes`` it is an amendment.
    texts : mapping of language to bytes
        The readable texts, whose hashes go into the document.

    Raises
    ------
    MalformedAgreement
        With every fault listed.
    NotAParty, AmendmentUnfit, NotAmendable, UnknownMessage
    """
    require(actor, PERMISSION)
    document = draft(source, texts=texts)
    row = store(document, state=State.DRAFT, now=now, is_one_person=is_one_person_mode())
    agreement = document_of(row)
    own = log.own_node().node_id
    if own not in agreement.nodes:
        raise NotAParty(f"expected this node ({own}) among the parties, came {', '.join(sorted(agreement.nodes))}")
    _check_known(row)
    if agreement.supersedes is not None:
        _check_amendable(lock(agreement.supersedes), now=now)
    note(agreement=row.hash, channels=len(agreement.channels))
    return row


@write("exchange.propose_agreement", subject="hash_")
def propose(hash_: str, *, actor: Actor, now: datetime) -> AgreementRow:
    """Send a draft to the other parties; from then on every party may sign it.

    Raises
    ------
    ForbiddenTransition
        If it was proposed already.
    NoSuchPartner
        If a party is not pinned here.
    """
    require(actor, PERMISSION)
    row = _lock_with_partners(hash_)
    if row.state != State.DRAFT:
        raise ForbiddenTransition(kind=Kind.PROPOSAL, party=_own(), state=State(row.state))
    row.state, row.state_since_at = State.PROPOSED.value, now
    row.save(update_fields=["state", "state_since_at"])
    log.append(
        log.lock_tree(LogTree.Kind.AGREEMENT, subject=row.first_version, now=now),
        [log.record("proposal", now=now, agreement=row.hash, by=_own())],
    )
    _send(row, AgreementProposal(document=b64(bytes(row.document))), actor=actor, now=now)
    return row


def ask_to_sign(hash_: str, *, actor: Actor, now: datetime) -> Outcome:
    """Ask that this node sign an agreement; a second person allows it.

    Raises
    ------
    ForbiddenTransition
        If the state does not allow this node's signature.
    UnknownMessage
        If a channel that names this node carries a message that it does not know.
    """
    row = find(hash_)
    _check(row, Kind.SIGNATURE, now=now)
    return ask(SIGN, {"hash_": row.hash}, actor=actor, now=now)


@write("exchange.sign_agreement", subject="hash_")
def sign(*, hash_: str, actor: Actor, first: Actor, now: datetime) -> State:
    """Sign the agreement's bytes with this node's agreement key and tell the other parties."""
    row = _lock_with_partners(hash_)
    statement = _state(row, Kind.SIGNATURE, now=now)
    _send(row, AgreementSignatureNotice(agreement=row.hash, signature=b64(statement.signed)), actor=actor, now=now)
    if is_one_person_mode():
        AgreementRow.objects.filter(hash=row.hash).update(is_one_person=True)
    note(first=actor_name(first), second=actor_name(actor))
    return refresh(row, now=now)


@write("exchange.activate_agreement", subject="hash_")
def activate(hash_: str, *, actor: Actor, now: datetime) -> State:
    """Open a dormant emergency annex for this node's side; it closes by itself.

    One officer suffices: two persons authorised that when the annex was signed.
    """
    return _say(hash_, Kind.ACTIVATION, actor=actor, now=now)


@write("exchange.suspend_agreement", subject="hash_")
def suspend(hash_: str, *, actor: Actor, now: datetime) -> State:
    """Halt all exchange under an agreement: here from this commit, at each partner from receipt."""
    return _say(hash_, Kind.SUSPENSION, actor=actor, now=now)


def ask_to_resume(hash_: str, *, actor: Actor, now: datetime) -> Outcome:
    """Ask that this node lift its own suspension; a second person allows it."""
    row = find(hash_)
    _check(row, Kind.RESUMPTION, now=now)
    return ask(RESUME, {"hash_": row.hash}, actor=actor, now=now)


@write("exchange.resume_agreement", subject="hash_")
def resume(*, hash_: str, actor: Actor, first: Actor, now: datetime) -> State:
    """Lift this node's own suspension."""
    note(first=actor_name(first), second=actor_name(actor))
    return _say(hash_, Kind.RESUMPTION, actor=actor, now=now)


def ask_to_terminate(hash_: str, *, actor: Actor, now: datetime) -> Outcome:
    """Ask that this node terminate an agreement; a second person allows it.

    Before all have signed this withdraws at once. Afterwards it takes effect when the agreed notice has run.
    """
    row = find(hash_)
    _check(row, Kind.TERMINATION, now=now)
    return ask(TERMINATE, {"hash_": row.hash}, actor=actor, now=now)


@write("exchange.terminate_agreement", subject="hash_")
def terminate(*, hash_: str, actor: Actor, first: Actor, now: datetime) -> State:
    """Terminate the agreement after its notice."""
    note(first=actor_name(first), second=actor_name(actor))
    notice = timedelta(days=document_of(find(hash_)).notice_days)
    return _say(hash_, Kind.TERMINATION, actor=actor, now=now, effective_at=now + notice)


@write("exchange.discard_draft", subject="hash_")
def discard_draft(hash_: str, *, actor: Actor, now: datetime) -> None:
    """Delete a draft that was never proposed.

    Raises
    ------
    ForbiddenTransition
        If it was proposed: then it is terminated, not deleted.
    """
    del now
    require(actor, PERMISSION)
    row = lock(find(hash_).hash)
    if row.state != State.DRAFT:
        raise ForbiddenTransition(kind=Kind.PROPOSAL, party=_own(), state=State(row.state))
    row.delete()


def register_approvals() -> None:
    """Announce the steps on agreements that take two persons."""
    register_approval(SIGN, permission=PERMISSION, execute=sign, describe=_describe_signing)
    register_approval(RESUME, permission=PERMISSION, execute=resume, describe=_describe_resuming)
    register_approval(TERMINATE, permission=PERMISSION, execute=terminate, describe=_describe_terminating)


def _describe_signing(arguments: dict[str, Any]) -> str:
    return _("Sign the agreement “%(title)s” (%(hash)s)") % _named(arguments)


def _describe_resuming(arguments: dict[str, Any]) -> str:
    return _("Lift this node’s suspension of the agreement “%(title)s” (%(hash)s)") % _named(arguments)


def _describe_terminating(arguments: dict[str, Any]) -> str:
    return _("Terminate the agreement “%(title)s” (%(hash)s)") % _named(arguments)


def _named(arguments: dict[str, Any]) -> dict[str, str]:
    row = AgreementRow.objects.filter(hash=arguments["hash_"]).first()
    title = read_agreement(bytes(row.document)).title_in(get_language() or "en") if row else ""
    return {"title": isolated(title), "hash": str(arguments["hash_"])[:12]}


def _say(hash_: str, kind: Kind, *, actor: Actor, now: datetime, effective_at: datetime | None = None) -> State:
    require(actor, PERMISSION)
    row = _lock_with_partners(hash_)
    statement = _state(row, kind, now=now, effective_at=effective_at)
    message = _STATEMENTS[kind](
        agreement=row.hash,
        sequence=statement.sequence,
        previous=statement.previous,
        statement=b64(statement.signed),
    )
    _send(row, message, actor=actor, now=now)
    note(agreement=row.hash, stated=kind.value, sequence=statement.sequence)
    return refresh(row, now=now)


def _state(row: AgreementRow, kind: Kind, *, now: datetime, effective_at: datetime | None = None) -> Statement:
    """Sign and store this node's next statement, if the state allows it and its keys count."""
    check_own_keys()
    _check(row, kind, now=now, effective_at=effective_at)
    own = _own()
    before = statements_of(row, own)
    statement = make_statement(
        kind,
        agreement=row.hash,
        party=own,
        after=before[-1] if before else None,
        key=keystore.own_keys().agreement,
        now=now,
        effective_at=effective_at,
        document=bytes(row.document) if kind is Kind.SIGNATURE else None,
    )
    record_statement(row, statement, now=now)
    return statement


def _check(row: AgreementRow, kind: Kind, *, now: datetime, effective_at: datetime | None = None) -> None:
    """Raise `ForbiddenTransition` unless the state allows this node to say it now."""
    advance(
        replay_of(row).life,
        Event(kind=kind, party=_own(), stated_at=now, recorded_at=now, effective_at=effective_at),
    )
    if kind is Kind.SIGNATURE:
        _check_known(row)
        if row.supersedes:
            _check_amendable(find(row.supersedes), now=now)


def _check_known(row: AgreementRow) -> None:
    """Raise if this node would promise to send or take what it does not know."""
    unknown = unknown_messages(document_of(row), own=_own())
    if unknown:
        raise UnknownMessage(unknown)


def _check_amendable(row: AgreementRow, *, now: datetime) -> None:
    state = replay_of(row).life.state(now)
    if state not in AMENDABLE:
        raise NotAmendable(
            f"agreement {row.hash[:12]}… is {state.value}; only one that all parties signed and that has not ended "
            "can be amended. Propose a new agreement instead."
        )


def _lock_with_partners(hash_: str) -> AgreementRow:
    """Lock the other parties' rows, then the agreement's: the one order in which locks are taken.

    Raises
    ------
    NoSuchPartner
        If a party is not pinned here.
    """
    row = find(hash_)
    own = _own()
    for node in sorted(document_of(row).nodes - {own}):
        try:
            lock_partner(node)
        except NoSuchPartner:
            raise NoSuchPartner(
                f"{node} is a party but no pinned partner. Pin its card first: corridor peer add CARD --fingerprint …"
            ) from None
    if row.supersedes:
        lock(row.supersedes)
    return lock(row.hash)


def _send(row: AgreementRow, message: Message, *, actor: Actor, now: datetime) -> None:
    for node in sorted(document_of(row).nodes - {_own()}):
        send_control(message, to=node, actor=actor, now=now, agreement=row.hash)


def _own() -> str:
    return log.own_node().node_id

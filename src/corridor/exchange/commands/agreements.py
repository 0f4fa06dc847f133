"""Commands about agreements: draft, propose, show, compare, sign, open, suspend, resume, amend, terminate."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import click

from corridor.accounts.approvals import REQUEST_LASTS, Outcome
from corridor.accounts.commands import acting_person, reauthenticated_person
from corridor.base.clock import utcnow
from corridor.base.encodings import NotATable
from corridor.base.errors import InputFault, WrongUsage
from corridor.base.textfiles import decode_text
from corridor.exchange.queries import agreements as queries
from corridor.exchange.queries.agreements import AgreementView
from corridor.exchange.rules.agreement import LANGUAGES, Kind, State
from corridor.exchange.services import agreement_acts as acts

# Lists whose entries an amendment replaces one by one, and the member that names an entry.
_NAMED_BY = {"channels": "id", "legal_basis": "country", "parties": "node"}


class UnreadableSource(InputFault):
    """A file of the command is not there, is empty, or is no TOML or JSON."""

    code: ClassVar[str] = "unreadable-source"


class WrongText(WrongUsage):
    """A text of an agreement is not given as LANGUAGE=FILE."""

    code: ClassVar[str] = "wrong-text"


_FIRST_STEPS = """\b
A new agreement, from a source file to the first envelope:
  corridor agreement draft memorandum.toml --text en=memorandum-en.pdf
  corridor agreement propose 7c1e90
  corridor agreement sign 7c1e90        (a second person: corridor approve 12)
"""


@click.group("agreement", epilog=_FIRST_STEPS)
def agreement() -> None:
    """Agreements: what may cross, signed by all parties."""


_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
_TEXTS = click.option(
    "--text",
    "texts",
    multiple=True,
    metavar="LANGUAGE=FILE",
    help="A readable text; its hash goes into the document.",
)


@agreement.command(
    "draft", epilog="Example: corridor agreement draft memorandum.toml --text en=en.pdf --text ur=ur.pdf"
)
@click.argument("source", type=click.Path(path_type=Path))
@_TEXTS
@_AS_JSON
def draft(source: Path, texts: tuple[str, ...], *, as_json: bool) -> None:
    """Store a draft made from SOURCE, a TOML or JSON file; nothing is sent.

    What the source leaves out takes a cautious default; every fault is listed with its place.
    """
    now = utcnow()
    row = acts.draft_agreement(_read(source), texts=_texts(texts), actor=acting_person(now), now=now)
    _result(
        {"agreement": row.hash, "state": row.state},
        f"draft {row.hash}\nNext: corridor agreement propose {row.hash[:12]}",
        as_json=as_json,
    )


@agreement.command("amend", epilog="Example: corridor agreement amend 7c1e90 changes.toml")
@click.argument("old")
@click.argument("source", type=click.Path(path_type=Path))
@_TEXTS
@_AS_JSON
def amend(old: str, source: Path, texts: tuple[str, ...], *, as_json: bool) -> None:
    """Store a draft that amends agreement OLD by the members in SOURCE.

    A member of the source replaces that of the old version; an entry of channels, parties or legal_basis replaces the
    one of the same id, node or country. `remove_channels = ["id"]` takes channels away.
    """
    now = utcnow()
    person = acting_person(now)
    known = queries.agreement(person, old, now=now)
    row = acts.draft_agreement(_amended(known, _read(source)), texts=_texts(texts), actor=person, now=now)
    _result(
        {"agreement": row.hash, "state": row.state, "supersedes": known.hash},
        f"draft {row.hash}, amends {known.hash[:12]}\nNext: corridor agreement diff {row.hash[:12]}",
        as_json=as_json,
    )


@agreement.command("propose", epilog="Example: corridor agreement propose 7c1e90")
@click.argument("hash_", metavar="HASH")
@_AS_JSON
def propose(hash_: str, *, as_json: bool) -> None:
    """Send draft HASH to the other parties; then every party may sign it."""
    now = utcnow()
    person = acting_person(now)
    row = acts.propose(queries.agreement(person, hash_, now=now).hash, actor=person, now=now)
    _result(
        {"agreement": row.hash, "state": row.state},
        f"proposed {row.hash[:12]} to the other parties\nNext: corridor agreement sign {row.hash[:12]}",
        as_json=as_json,
    )


@agreement.command("list", epilog="Example: corridor agreement list --state in-force")
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only agreements in this state.")
@_AS_JSON
def list_agreements(state: str | None, *, as_json: bool) -> None:
    """List the agreements of this node."""
    now = utcnow()
    found = [
        each for each in queries.agreements(acting_person(now), now=now) if state is None or each.state.value == state
    ]
    lines = [
        f"{each.hash[:12]}  {each.state.value:15} {_parties(each):32} {each.document.title_in('en')}" for each in found
    ]
    _result(
        [_summary(each) for each in found],
        "\n".join(lines) or "No agreements. Draft one: corridor agreement draft SOURCE",
        as_json=as_json,
    )


@agreement.command("show", epilog="Example: corridor agreement show 7c1e90")
@click.argument("hash_", metavar="HASH")
@click.option("--document", is_flag=True, help="Print the canonical bytes that the parties sign, and nothing else.")
@_AS_JSON
def show(hash_: str, *, document: bool, as_json: bool) -> None:
    """Show agreement HASH: its state, its signatures, and what it opens, clause by clause."""
    now = utcnow()
    person = acting_person(now)
    view = queries.agreement(person, hash_, now=now)
    if document:
        click.echo(view.signed_bytes, nl=False)
        return
    said = queries.statements(person, view.hash)
    detail = _summary(view) | {
        "document": json.loads(view.signed_bytes),
        "statements": [
            {"party": each.party, "sequence": each.sequence, "kind": each.kind, "outcome": each.outcome}
            for each in said
        ],
    }
    _result(detail, "\n".join(_described(view, said)), as_json=as_json)


@agreement.command("diff", epilog="Example: corridor agreement diff 9f03aa")
@click.argument("hash_", metavar="HASH")
@_AS_JSON
def diff(hash_: str, *, as_json: bool) -> None:
    """Show what amendment HASH changes against the version that it supersedes."""
    old, changed = queries.changes(acting_person(utcnow()), hash_)
    lines = [
        f"{'/'.join(each.path)}{f'  (clause {each.clause})' if each.clause else ''}: {each.change.value}\n"
        f"  - {json.dumps(each.old, ensure_ascii=False)}\n  + {json.dumps(each.new, ensure_ascii=False)}"
        for each in changed
    ]
    if old is None:
        lines = ["This agreement supersedes none, so there is nothing to compare."]
    _result(
        [
            {
                "path": list(each.path),
                "clause": each.clause,
                "change": each.change.value,
                "old": each.old,
                "new": each.new,
            }
            for each in changed
        ],
        "\n".join(lines) or "No clause differs.",
        as_json=as_json,
    )


@agreement.command("sign", epilog="Example: corridor agreement sign 7c1e90")
@click.argument("hash_", metavar="HASH")
@_AS_JSON
def sign(hash_: str, *, as_json: bool) -> None:
    """Sign agreement HASH for this node; it takes a second person."""
    now = utcnow()
    _outcome(acts.ask_to_sign(hash_, actor=reauthenticated_person(now), now=now), "signed", as_json=as_json)


@agreement.command("activate", epilog="Example: corridor agreement activate 51b2c4")
@click.argument("hash_", metavar="HASH")
@_AS_JSON
def activate(hash_: str, *, as_json: bool) -> None:
    """Open the dormant emergency annex HASH for this node's side; it closes by itself."""
    _at_once(hash_, Kind.ACTIVATION, as_json=as_json)


@agreement.command("suspend", epilog="Example: corridor agreement suspend 7c1e90")
@click.argument("hash_", metavar="HASH")
@_AS_JSON
def suspend(hash_: str, *, as_json: bool) -> None:
    """Halt all exchange under agreement HASH, here at once and at the partners when they hear of it."""
    _at_once(hash_, Kind.SUSPENSION, as_json=as_json)


@agreement.command("resume", epilog="Example: corridor agreement resume 7c1e90")
@click.argument("hash_", metavar="HASH")
@_AS_JSON
def resume(hash_: str, *, as_json: bool) -> None:
    """Lift this node's own suspension of agreement HASH; it takes a second person."""
    now = utcnow()
    _outcome(acts.ask_to_resume(hash_, actor=reauthenticated_person(now), now=now), "resumed", as_json=as_json)


@agreement.command("terminate", epilog="Example: corridor agreement terminate 7c1e90")
@click.argument("hash_", metavar="HASH")
@_AS_JSON
def terminate(hash_: str, *, as_json: bool) -> None:
    """Terminate agreement HASH when its notice has run, or withdraw a proposal at once; it takes a second person."""
    now = utcnow()
    _outcome(acts.ask_to_terminate(hash_, actor=reauthenticated_person(now), now=now), "terminated", as_json=as_json)


@agreement.command("discard", epilog="Example: corridor agreement discard 7c1e90")
@click.argument("hash_", metavar="HASH")
def discard(hash_: str) -> None:
    """Delete draft HASH, which was never proposed."""
    now = utcnow()
    acts.discard_draft(hash_, actor=acting_person(now), now=now)
    click.echo("The draft is deleted.")


def _at_once(hash_: str, kind: Kind, *, as_json: bool) -> None:
    now = utcnow()
    person = acting_person(now)
    full = queries.agreement(person, hash_, now=now).hash
    if kind is Kind.ACTIVATION:
        state = acts.activate(full, actor=person, now=now)
    else:
        state = acts.suspend(full, actor=person, now=now)
    text = f"agreement {full[:12]} is {state.value}"
    if kind is Kind.ACTIVATION and state is State.DORMANT:
        text += "; it opens when the other side has activated it too"
    _result({"agreement": full, "state": state.value}, text, as_json=as_json)


def _outcome(outcome: Outcome, done: str, *, as_json: bool) -> None:
    result = {"done": outcome.done, "request": outcome.request_id}
    if not outcome.done:
        text = f"waiting for a second person, for {REQUEST_LASTS.days} days: corridor approve {outcome.request_id}"
    else:
        text = f"{done}; the agreement is {outcome.result.value if isinstance(outcome.result, State) else 'changed'}"
    _result(result, text, as_json=as_json)


def _result(value: object, text: str, *, as_json: bool) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2) if as_json else text)


def _summary(view: AgreementView) -> dict[str, Any]:
    return {
        "agreement": view.hash,
        "title": dict(view.document.title),
        "state": view.state.value,
        "since": _moment(view.state_since_at),
        "parties": [party.node for party in view.parties],
        "signed": [party.node for party in view.parties if party.signed_at],
        "suspended_by": [party.node for party in view.parties if party.is_suspending],
        "start_at": _moment(view.document.start_at),
        "end_at": _moment(view.document.end_at),
        "opened_until": _moment(view.opened_until_at),
        "ends_at": _moment(view.ends_at),
        "supersedes": view.document.supersedes,
        "superseded_by": view.superseded_by or None,
        "one_person": view.is_one_person,
    }


def _described(view: AgreementView, said: list[queries.StatementView]) -> list[str]:
    document = view.document
    lines = [
        document.title_in("en"),
        f"hash        {view.hash}",
        f"state       {view.state.value} since {_moment(view.state_since_at)}",
        f"in force    {_moment(document.start_at)} to {_moment(document.end_at)}",
        f"instrument  {document.instrument_reference} of {document.instrument_on}",
        "parties",
    ]
    for party in view.parties:
        signed = f"signed {_moment(party.signed_at)}" if party.signed_at else "not signed"
        lines.append(f"  {party.node:24} {party.legal_entity}: {signed}{', suspends' if party.is_suspending else ''}")
    lines.append("opens")
    for channel in document.channels:
        lines.append(
            f"  clause {channel.clause}: {channel.message}, class {channel.data_class.value}, channel {channel.id}, "
            f"{', '.join(sorted(channel.senders))} to {', '.join(sorted(channel.receivers))}"
        )
        lines += [
            f"    {rule.disease} {rule.stratum} at {rule.place_level}: from {rule.min_cell} case(s) on"
            for rule in channel.disclosure
        ]
    lines.append("stated")
    lines += [f"  {_moment(each.recorded_at)} {each.party} {each.kind}: {each.outcome}" for each in said]
    return lines if said else [*lines[:-1], "nobody has signed yet"]


def _parties(view: AgreementView) -> str:
    return " + ".join(party.node for party in view.parties)


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%d %H:%M UTC")


def _texts(pairs: tuple[str, ...]) -> dict[str, bytes]:
    texts = {}
    for pair in pairs:
        language, equals, name = pair.partition("=")
        if not equals or language not in LANGUAGES:
            raise WrongText(f"expected --text LANGUAGE=FILE with one of {', '.join(LANGUAGES)}, came {pair!r}")
        texts[language] = _bytes(Path(name))
    return texts


def _read(path: Path) -> dict[str, Any]:
    try:
        data = decode_text(_bytes(path), name=str(path)).decode()
    except NotATable:
        raise UnreadableSource(
            f"{path} holds binary data; a source is a text in TOML or JSON. See docs/how-to/sign-an-agreement.md."
        ) from None
    try:
        value = json.loads(data) if path.suffix == ".json" else tomllib.loads(data)
    except ValueError as fault:
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise UnreadableSource(f"{path} is no {kind}: {fault}. See docs/how-to/sign-an-agreement.md.") from None
    if not isinstance(value, dict):
        raise UnreadableSource(f"{path} holds no table of members. See docs/how-to/sign-an-agreement.md.")
    return value


def _bytes(path: Path) -> bytes:
    if path.is_dir():
        raise UnreadableSource(f"{path} is a folder; name a file in it")
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise UnreadableSource(f"{path} cannot be read: {fault.strerror}. Check the name.") from None
    if not data.strip():
        raise UnreadableSource(f"{path} is empty; it should hold the text or the members of the agreement")
    return data


def _amended(known: AgreementView, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of `known` with those of `changes` in their place."""
    merged: dict[str, Any] = deepcopy(json.loads(known.signed_bytes))
    removed = set(changes.get("remove_channels", ()))
    for key, value in changes.items():
        name = _NAMED_BY.get(key)
        if key == "remove_channels":
            continue
        if name is not None and isinstance(value, list):
            replaced = {entry.get(name): entry for entry in merged[key]} | {entry.get(name): entry for entry in value}
            merged[key] = list(replaced.values())
        else:
            merged[key] = value
    merged["channels"] = [channel for channel in merged["channels"] if channel.get("id") not in removed]
    merged["supersedes"] = known.hash
    return merged

"""Where pillars announce their message types and handlers; the exchange itself imports no pillar."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from corridor.exchange.messages import Message


@dataclass(frozen=True, slots=True)
class ChannelView:
    """One channel of an agreement as a pillar sees it.

    Attributes
    ----------
    agreement : str
        Hash of the agreement's version.
    title : str
    channel : dict
        The channel as it stands in the document (id, clause, from, to, message, data_class, disclosure, caps,
        acceptance …).
    partners : tuple of str
        The nodes to which this node may send on it.
    """

    agreement: str
    title: str
    channel: dict[str, Any]
    partners: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The channel's id within its agreement."""
        return str(self.channel.get("id", ""))

    @property
    def acceptance(self) -> str:
        """``automatic``, or ``preview`` where a person accepts what arrives."""
        return str(self.channel.get("acceptance", "automatic"))

    @property
    def disclosure(self) -> list[dict[str, Any]]:
        """The disclosure rules of the channel, as in the document."""
        return list(self.channel.get("disclosure", []))


@dataclass(frozen=True, slots=True)
class Received:
    """One verified message that passed the gate, as its handler gets it."""

    message: Message
    header: Any
    envelope_id: str
    from_node: str
    agreement: str
    channel: ChannelView | None
    token_hash: str
    crossing_id: int | None


class Handler(Protocol):
    """Takes a batch of messages of one type from one partner; may send in the same transaction."""

    def __call__(self, batch: Sequence[Received], /, *, actor: Any, now: datetime) -> None:
        """Take the batch; raise `Refused` to refuse an envelope that came alone."""


class Forget(Protocol):
    """Deletes what was derived from crossings whose bodies are deleted; joins the transaction that deletes them."""

    def __call__(self, crossing_ids: Sequence[int], /, *, actor: Any, now: datetime) -> int:
        """Return how many rows went."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A message type, who handles it, and who takes back or forgets what came of it.

    Attributes
    ----------
    returned : Handler or None
        Takes back what this node itself had sent and lost with a restore, as partners return it; None where nothing is
        derived from what was sent.
    forget : Forget or None
        None where the handler keeps nothing.
    """

    message: type[Message]
    handler: Handler
    is_control: bool = False
    returned: Handler | None = None
    forget: Forget | None = None


class AlreadyRegistered(Exception):
    """Two handlers claim one schema."""


_registrations: dict[str, Registration] = {}
_after_returns: list[Callable[..., None]] = []


def register_message(
    message: type[Message],
    *,
    handler: Callable[..., None],
    is_control: bool = False,
    returned: Callable[..., None] | None = None,
    forget: Callable[..., int] | None = None,
) -> None:
    """Announce `message` and the `handler` of what arrives; the same pair twice is fine.

    Parameters
    ----------
    message : type of Message
    handler : callable
        See `Handler`.
    is_control : bool
        Whether it passes between pinned partners without an agreement.
    returned : callable, optional
        Called with accepted envelopes of this node's own that a partner returns after a restore, so that what was
        derived from them at sending (revisions, what a partner was told) is known again.
    forget : callable, optional
        See `Forget`: whatever the handler keeps of a message goes with the message's body. Leave it out only where the
        handler keeps nothing.

    Raises
    ------
    AlreadyRegistered
        If another handler has the schema.
    """
    schema = message.schema_id()
    known = _registrations.get(schema)
    if known is not None and known.handler is not handler:
        raise AlreadyRegistered(f"{schema} already has a handler")
    _registrations[schema] = Registration(message, handler, is_control=is_control, returned=returned, forget=forget)


def after_returns(resume: Callable[..., None]) -> None:
    """Announce what goes on once no partner owes a return any more; called as ``resume(actor=…, now=…)``."""
    if resume not in _after_returns:
        _after_returns.append(resume)


def resume_after_returns(*, actor: Any, now: datetime) -> None:
    """Let the pillars go on with what waited for returns, in the caller's transaction."""
    for resume in _after_returns:
        resume(actor=actor, now=now)


def registration(schema: str) -> Registration | None:
    """Return what is registered under `schema`, or None."""
    return _registrations.get(schema)


def message_type(schema: str) -> type[Message] | None:
    """Return the message type registered under `schema`, or None."""
    known = _registrations.get(schema)
    return known.message if known else None


def versions(name: str) -> tuple[str, ...]:
    """Return every registered schema of the message `name`, such as ``surveillance.period-counts``, oldest first."""
    found = [schema for schema in _registrations if schema.rpartition("/")[0] == name]
    return tuple(sorted(found, key=lambda schema: int(schema.rpartition("/")[2])))


def schemas() -> tuple[str, ...]:
    """Return every registered schema, sorted."""
    return tuple(sorted(_registrations))

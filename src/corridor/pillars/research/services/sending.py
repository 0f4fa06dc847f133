"""Send one message of this site to every other site of a study, under the agreement that opens it."""

from datetime import datetime
from typing import ClassVar

from corridor.accounts.actors import Actor
from corridor.base.errors import Refused
from corridor.exchange import queries as exchange_queries
from corridor.exchange import services as exchange
from corridor.exchange.messages import Message
from corridor.exchange.registry import ChannelView
from corridor.pillars.research.messages import StudyMessage
from corridor.pillars.research.models import Study
from corridor.pillars.research.rules.protocol import Protocol

__all__ = ["StudyNotOpen", "open_channel", "send_act"]


class StudyNotOpen(Refused):
    """No agreement in force lets this node speak with every site of the study."""

    code: ClassVar[str] = "study-not-open"


def open_channel(
    protocol: Protocol, *, own_site: str, agreement: str, now: datetime, actor: Actor, schema: str = ""
) -> ChannelView:
    """Return the channel on which this node reaches every other site; that of `agreement` first.

    Parameters
    ----------
    schema : str
        Which message the channel is for; that of a study's acts where it is left out.
    agreement : str
        Hash of the agreement's version, or its beginning; empty for any. An amendment takes the place of what it
        supersedes by itself: what counts is that it opens ``research.study`` between the same nodes.

    Raises
    ------
    StudyNotOpen
    """
    schema = schema or StudyMessage.schema_id()
    others = {site.node for site in protocol.sites if site.id != own_site}
    found = exchange_queries.channels_open(actor=actor, schema=schema, now=now)
    reaching = [view for view in found if others <= set(view.partners)]
    if not reaching:
        raise StudyNotOpen(
            f"no agreement in force opens {schema} from this node to {', '.join(sorted(others))}."
            " `corridor agreement show` says what is signed, and what an agreement opens."
        )
    return next((view for view in reaching if agreement and view.agreement.startswith(agreement)), reaching[0])


def send_act(message: Message, *, study: Study, protocol: Protocol, actor: Actor, now: datetime) -> list[int]:
    """Queue `message` for every other site of the protocol, and return the numbers of the crossings.

    Raises
    ------
    StudyNotOpen
        If no agreement is in force, or the gate refuses the message; nothing is queued then.
    """
    view = open_channel(
        protocol,
        own_site=study.own_site,
        agreement=study.agreement,
        now=now,
        actor=actor,
        schema=message.schema_id(),
    )
    crossings = []
    for site in protocol.sites:
        if site.id == study.own_site:
            continue
        crossing = exchange.send(message, to=site.node, agreement=view.agreement, channel=view.id, actor=actor, now=now)
        if crossing.status == "refused":
            raise StudyNotOpen(f"the gate refuses what would go to {site.node}: {crossing.reason}")
        crossings.append(crossing.pk)
    return crossings

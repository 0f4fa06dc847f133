"""Look at a body that came under an agreement by which data is viewed and not kept; each look is in the audit trail."""

from __future__ import annotations

from datetime import datetime

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import InputFault, Refused
from corridor.exchange import keystore, registry
from corridor.exchange.messages import Message
from corridor.exchange.models import Crossing
from corridor.exchange.queries.keeping import viewable_until
from corridor.exchange.rules.envelope import unpack
from corridor.exchange.rules.sealing import open_sealed
from corridor.exchange.services import bodies
from corridor.exchange.services.partners import transport_keys

PERMISSION = "exchange.view_body"


class NotViewable(InputFault):
    """What the envelope said is not shown on its page: it is kept by the pillar that took it, or never came here."""

    code = "not-viewable"


class ViewEnded(Refused):
    """The time in which the body could be viewed is over."""

    code = "view-ended"


@write("exchange.look_at_body", subject="crossing_id")
def look(*, crossing_id: int, actor: Actor, now: datetime) -> Message:
    """Return what an envelope says that may be viewed and not kept; nothing of it is written down.

    Raises
    ------
    NotPermitted
        If `actor` may not.
    NotViewable
        If the envelope did not come under such an agreement.
    ViewEnded
        If its time is over, whether or not its key is destroyed already, or a legal hold keeps it.
    """
    require(actor, PERMISSION)
    crossing = Crossing.objects.select_related("sealed_body").filter(pk=crossing_id).first()
    until_at = viewable_until(crossing) if crossing is not None else None
    if crossing is None or until_at is None:
        raise NotViewable(
            f"crossing {crossing_id} did not come here to be viewed only. What its pillar took from it stands on the "
            "pillar's pages"
        )
    ciphertext = bodies.load(crossing)
    if now >= until_at or ciphertext is None:
        raise ViewEnded(f"this body could be viewed until {until_at:%Y-%m-%d %H:%M} UTC")
    note(crossing=crossing.pk, schema=crossing.schema)
    return _open(crossing, ciphertext)


def _open(crossing: Crossing, ciphertext: bytes) -> Message:
    unpacked = unpack(bytes(crossing.token), keys=transport_keys(crossing.from_node))
    kind = registry.message_type(crossing.schema)
    if unpacked.sealed is None or kind is None:
        raise NotViewable(f"messages of the type {crossing.schema} are no longer known to this version")
    opened = open_sealed(
        ciphertext,
        header=unpacked.header,
        mac=unpacked.sealed.mac,
        key=keystore.opening_key(unpacked.sealed.enc_kid),
    )
    return kind.from_bytes(opened.body)

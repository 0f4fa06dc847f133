"""Reads of the exchange, limited to what the actor may see."""

from corridor.exchange.queries.agreements import channels_open
from corridor.exchange.queries.crossings import (
    CrossingDetail,
    CrossingFilters,
    CrossingView,
    NoSuchCrossing,
    crossing,
    crossing_by_envelope,
    crossings,
    trees,
)
from corridor.exchange.queries.partners import (
    CLOCK_TOLERANCE_SECONDS,
    UNRECEIPTED_AFTER,
    DisputeView,
    OwnNode,
    PartnerView,
    Standing,
    disputes,
    owing,
    own_card,
    own_node,
    partners,
    standing,
    unauthenticated,
)

__all__ = [
    "CLOCK_TOLERANCE_SECONDS",
    "UNRECEIPTED_AFTER",
    "CrossingDetail",
    "CrossingFilters",
    "CrossingView",
    "DisputeView",
    "NoSuchCrossing",
    "OwnNode",
    "PartnerView",
    "Standing",
    "channels_open",
    "crossing",
    "crossing_by_envelope",
    "crossings",
    "disputes",
    "owing",
    "own_card",
    "own_node",
    "partners",
    "standing",
    "trees",
    "unauthenticated",
]

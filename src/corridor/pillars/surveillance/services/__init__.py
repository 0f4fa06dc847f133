"""Writes of surveillance: one outermost call is one transaction and one audit entry."""

from corridor.exchange.services import ReturnsOwed
from corridor.pillars.surveillance.services.delays import record_delays
from corridor.pillars.surveillance.services.detection import (
    NewSignal,
    NoSuchSignal,
    move_signal,
    note_signal,
    record_run,
)
from corridor.pillars.surveillance.services.events import (
    AlertWouldTell,
    NothingToWithdraw,
    notify_cases,
    share_alert,
    withdraw_alert,
)
from corridor.pillars.surveillance.services.hand import (
    BY_HAND,
    RELEASE,
    CannotBeReleased,
    HeldFigure,
    NotHeld,
    Weighed,
    ask_release,
    held_figures,
    release_by_hand,
    weigh,
)
from corridor.pillars.surveillance.services.imports import (
    Changes,
    ImportUnderWay,
    NoSuchImport,
    abandon_import,
    begin_import,
    complete_import,
    record_cases,
    record_counts,
    record_tallies,
)
from corridor.pillars.surveillance.services.looking import look
from corridor.pillars.surveillance.services.partners import (
    NothingWaits,
    decide_counts,
    forget_partner,
    see_alert,
    store_partner_alerts,
    store_partner_counts,
    store_partner_notifications,
    store_partner_withdrawals,
)
from corridor.pillars.surveillance.services.returned import share_soon, take_back_counts, take_back_events
from corridor.pillars.surveillance.services.sharing import Shared, set_automatic, share_disease

__all__ = [
    "BY_HAND",
    "RELEASE",
    "AlertWouldTell",
    "CannotBeReleased",
    "Changes",
    "HeldFigure",
    "ImportUnderWay",
    "NewSignal",
    "NoSuchImport",
    "NoSuchSignal",
    "NotHeld",
    "NothingToWithdraw",
    "NothingWaits",
    "ReturnsOwed",
    "Shared",
    "Weighed",
    "abandon_import",
    "ask_release",
    "begin_import",
    "complete_import",
    "decide_counts",
    "forget_partner",
    "held_figures",
    "look",
    "move_signal",
    "note_signal",
    "notify_cases",
    "record_cases",
    "record_counts",
    "record_delays",
    "record_run",
    "record_tallies",
    "release_by_hand",
    "see_alert",
    "set_automatic",
    "share_alert",
    "share_disease",
    "share_soon",
    "store_partner_alerts",
    "store_partner_counts",
    "store_partner_notifications",
    "store_partner_withdrawals",
    "take_back_counts",
    "take_back_events",
    "weigh",
    "withdraw_alert",
]

"""Writes of surveillance: one outermost call is one transaction and one audit entry."""

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
    see_alert,
    store_partner_alerts,
    store_partner_counts,
    store_partner_notifications,
    store_partner_withdrawals,
)
from corridor.pillars.surveillance.services.returned import share_soon, take_back_counts, take_back_events
from corridor.pillars.surveillance.services.sharing import Shared, set_automatic, share_disease

__all__ = [
    "AlertWouldTell",
    "Changes",
    "ImportUnderWay",
    "NewSignal",
    "NoSuchImport",
    "NoSuchSignal",
    "NothingToWithdraw",
    "NothingWaits",
    "Shared",
    "abandon_import",
    "begin_import",
    "complete_import",
    "decide_counts",
    "look",
    "move_signal",
    "note_signal",
    "notify_cases",
    "record_cases",
    "record_counts",
    "record_run",
    "record_tallies",
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
    "withdraw_alert",
]

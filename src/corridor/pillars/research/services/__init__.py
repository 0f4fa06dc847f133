"""Writes of research; each outermost call is one transaction with one audit entry."""

from corridor.pillars.research.services.approvals import register_approvals
from corridor.pillars.research.services.arrivals import forget_blocks, take_acts
from corridor.pillars.research.services.by_hand import ask_to_release_unseen, hold_answers
from corridor.pillars.research.services.care import (
    forget_documents,
    publish_document,
    take_back_documents,
    take_documents,
)
from corridor.pillars.research.services.data import freeze_rows, sign_snapshot
from corridor.pillars.research.services.databases import read_database
from corridor.pillars.research.services.follow_up import freeze_adherence, register_patients
from corridor.pillars.research.services.frozen import drop_tables, frozen_table
from corridor.pillars.research.services.ledger_key import noise_key
from corridor.pillars.research.services.reopening import ask_to_reopen
from corridor.pillars.research.services.runs import (
    ask_to_release,
    end_run,
    finish_run,
    record_answer,
    request_run,
)
from corridor.pillars.research.services.standing import set_standing
from corridor.pillars.research.services.studies import (
    ask_to_sign,
    propose_study,
)
from corridor.pillars.research.services.symposium import (
    add_entry,
    change_entry,
    forget_entries,
    take_back_entries,
    take_entries,
)

__all__ = [
    "add_entry",
    "ask_to_release",
    "ask_to_release_unseen",
    "ask_to_reopen",
    "ask_to_sign",
    "change_entry",
    "drop_tables",
    "end_run",
    "finish_run",
    "forget_blocks",
    "forget_documents",
    "forget_entries",
    "freeze_adherence",
    "freeze_rows",
    "frozen_table",
    "hold_answers",
    "noise_key",
    "propose_study",
    "publish_document",
    "read_database",
    "record_answer",
    "register_approvals",
    "register_patients",
    "request_run",
    "set_standing",
    "sign_snapshot",
    "take_acts",
    "take_back_documents",
    "take_back_entries",
    "take_documents",
    "take_entries",
]

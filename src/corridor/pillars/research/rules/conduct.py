"""When a site may compute: approvals in force, and what a site that paused or left means for a run."""

from datetime import date
from typing import Literal

from corridor.pillars.research.rules.protocol.document import Site

__all__ = ["approvals_lacking", "ending", "may_follow"]

_AFTER = {
    "active": {"active", "paused", "left", "closed"},
    "paused": {"active", "paused", "left", "closed"},
    "left": {"left"},
    "closed": {"closed"},
}
_REFUSED = ("disclosure-refused", "approval-lacking")
_DISPUTED = ("two-answers", "parameters-differ", "malformed-block")


def may_follow(standing: str, *, after: str) -> bool:
    """Tell whether a site may state `standing` after `after`: who left or closed does not come back by a word."""
    return standing in _AFTER[after]


def ending(code: str) -> Literal["refused", "failed", "disputed"]:
    """Return how a run ends for a reason: the same at the site that gives it and at those that are told."""
    if code in _REFUSED:
        return "refused"
    return "disputed" if code in _DISPUTED else "failed"


def approvals_lacking(site: Site, *, today: date) -> list[str]:
    """Return what a site lacks to compute: an ethics approval, or one that has not run out; nothing if it may.

    Notes
    -----
    Without an ethics approval no research on patients' data is done: WMA Declaration of Helsinki (2024), paragraph 23.
    Filings that a country's law asks for stand beside it in the protocol and run out likewise.
    """
    lacking = []
    if not any(approval.kind == "ethics" for approval in site.approvals):
        lacking.append(f"{site.id}: no ethics approval is named in the protocol")
    for approval in site.approvals:
        if approval.approved_on > today:
            lacking.append(f"{site.id}: {approval.kind} {approval.number} counts from {approval.approved_on} on")
        if approval.expires_on is not None and approval.expires_on < today:
            lacking.append(f"{site.id}: {approval.kind} {approval.number} ran out on {approval.expires_on}")
    return lacking

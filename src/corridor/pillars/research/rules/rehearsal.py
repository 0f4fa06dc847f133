"""Run one analysis of a protocol over tables that lie in one place, each site treated as if it were alone."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from corridor.base.errors import UserFault
from corridor.pillars.research.rules.analyses import Block, Request, plan_of
from corridor.pillars.research.rules.disclosure import Policy
from corridor.pillars.research.rules.engine import AnswerRefused, answer_request, run_locally
from corridor.pillars.research.rules.ledger import Ledger
from corridor.pillars.research.rules.protocol import Protocol
from corridor.pillars.research.rules.rows import SiteTable

__all__ = ["run_on_tables"]


def run_on_tables(
    protocol: Protocol,
    analysis: str,
    *,
    tables: Mapping[str, SiteTable],
    policy: Policy,
    ledgers: Mapping[str, Ledger],
) -> dict[str, Any]:
    """Return what an analysis found, or at which site it was refused and why, as JSON values."""
    item = protocol.analysis(analysis)
    plan = plan_of(item, protocol) if item is not None else None
    if item is None or plan is None:
        raise KeyError(analysis)
    described = {"id": item.id, "kind": item.kind, "title": dict(item.title)}
    at = ""
    own = {site: replace(table, site=site) for site, table in tables.items()}

    def site_answers(site: str, request: Request) -> Block:
        nonlocal at
        at = site
        block = answer_request(plan, request, table=own[site], policy=policy, ledger=ledgers[site]).block
        at = ""
        return block

    try:
        outcome = run_locally(plan, {site: partial(site_answers, site) for site in tables})
    except AnswerRefused as refusal:
        reasons = [f"{breach.guard}: {breach.subject}" for breach in refusal.breaches]
        return {**described, "state": "refused", "site": at, "reasons": reasons}
    except UserFault as fault:
        return {**described, "state": "failed", "site": at, "reasons": [str(fault)]}
    return {
        **described,
        "state": "done",
        "precision": str(outcome.result.precision),
        "values": dict(outcome.result.values),
        "warnings": list(outcome.result.warnings),
        "rounds": len(outcome.rounds),
        "numbers": outcome.numbers,
    }

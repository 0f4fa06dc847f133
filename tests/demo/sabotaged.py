"""A player, or the command line, with one guard taken away: ``python sabotaged.py GUARD player|corridor ...``.

Run as a process of its own by the tests, never imported by the project: production code holds no such switch.
"""

from __future__ import annotations

import copy
import dataclasses
import os
import sys
from collections.abc import Callable
from typing import Any

GUARDS: dict[str, Callable[[], None]] = {}


def guard(function: Callable[[], None]) -> Callable[[], None]:
    """Announce a function that takes a guard away."""
    GUARDS[function.__name__.replace("_", "-")] = function
    return function


@guard
def none() -> None:
    """Take nothing away."""


@guard
def fingerprint() -> None:
    """Pin whatever card comes, whichever fingerprint was read out."""
    from corridor.exchange.rules import card as cards
    from corridor.exchange.services.partners import pinning

    pinning._fit = lambda document, fingerprint: cards.read_chain(document.strip())


@guard
def two_persons() -> None:
    """Let one person say both yeses."""
    from corridor.accounts import approvals

    approvals._check_pair = lambda first, second, *, now: None


@guard
def same_file() -> None:
    """Forget which files were taken in."""
    from corridor.pillars.surveillance.tasks import intake

    intake.same_file = lambda **_: None


@guard
def suppression() -> None:
    """Send small totals as they are: nothing withheld, no ledger, no look at cells at the sender's gate."""
    from corridor.pillars.surveillance.services import due, sharing

    due.suppress = lambda cells, rules: list(cells)
    sharing.exchange.releasable = lambda cells: (list(cells), [])
    _drop_checks("_cells", "_ledger")


@guard
def completeness() -> None:
    """Show figures without the sites that they come from."""
    import polars as pl

    from corridor.pillars.surveillance import queries

    whole = queries.board

    def bare(**arguments: Any) -> Any:
        view = whole(**arguments)
        nothing = pl.lit(None, dtype=pl.Int64)
        return dataclasses.replace(view, own=view.own.with_columns(sites_expected=nothing, sites_reported=nothing))

    queries.board = bare


@guard
def separation() -> None:
    """Send what goes to a partner of the agreement to a country outside it too, past the gate."""
    from corridor.pillars.surveillance import queries

    agreed = queries.channels

    def everybody(**arguments: Any) -> Any:
        return [dataclasses.replace(view, partners=(*view.partners, "ru.demo")) for view in agreed(**arguments)]

    queries.channels = everybody
    _drop_checks("_parties")


@guard
def threshold_never() -> None:
    """Raise no alarm, whatever the counts."""
    _alarms_that_are(raised=False)


@guard
def threshold_always() -> None:
    """Raise an alarm for every count."""
    _alarms_that_are(raised=True)


@guard
def closed_strata() -> None:
    """Let counts of any stratum, place and period pass the sender's gate."""
    _drop_checks("_cells")


@guard
def message_types() -> None:
    """Let any message of any class pass the sender's gate on any channel."""
    from corridor.exchange.rules import gate

    kept = {"_parties", "_cells"}
    gate._ALL_CHECKS = tuple(check for check in gate._ALL_CHECKS if check.__name__ in kept)


@guard
def parties() -> None:
    """Let envelopes pass to who is no party of the agreement, and no partner at all."""
    from corridor.exchange.services import outbox

    _drop_checks("_parties")
    outbox._partner_ruling = lambda to, gate, header: None


@guard
def dormancy() -> None:
    """Take every agreement that was signed for one in force."""
    from corridor.exchange.queries import agreements
    from corridor.exchange.rules import gate
    from corridor.exchange.rules.agreement import State

    real = agreements.replay_of

    def awake(row: Any) -> Any:
        replay = real(row)
        asleep = type(replay.life)

        def state(self: Any, now: Any) -> State:
            found = asleep.state(self, now)
            return State.IN_FORCE if found is State.DORMANT else found

        life = copy.copy(replay.life)
        object.__setattr__(life, "__class__", type("Awake", (asleep,), {"state": state}))
        return dataclasses.replace(replay, life=life)

    agreements.replay_of = awake
    gate._CLOSED_BY = {}


@guard
def suspension() -> None:
    """Let the sender's gate pass what falls under a suspended agreement."""
    from corridor.exchange.rules import gate
    from corridor.exchange.rules.agreement import State

    gate._CLOSED_BY = {state: reason for state, reason in gate._CLOSED_BY.items() if state is not State.SUSPENDED}


@guard
def digests() -> None:
    """Call evidence whole whose bytes, digests or signatures do not fit."""
    from corridor.cli import evidence

    checked = evidence.verify

    def credulous(*arguments: Any) -> Any:
        verdict = checked(*arguments)
        return dataclasses.replace(verdict, status="authentic") if verdict.status == "altered" else verdict

    evidence.verify = credulous


@guard
def consistency() -> None:
    """Keep every checkpoint of a partner without comparing it with those before."""
    from corridor.exchange.services import swaps

    swaps._judge = lambda given, *, now: swaps.keep(
        given.peer, given.checkpoint, is_proved=True, received_from=given.peer, now=now
    )


@guard
def exactly_once() -> None:
    """Take every envelope for one that never came before."""
    from corridor.exchange.services import inbox

    inbox._Receiver._known = lambda self, items: (list(items), {})


@guard
def disclosure_control() -> None:
    """Let every answer of a study leave, however few patients it tells of."""
    from corridor.pillars.research.rules import engine
    from corridor.pillars.research.services.ledger import DatabaseLedger

    engine.judge = lambda exposure, policy: ()
    DatabaseLedger.breaches = lambda self, *arguments, **numbers: ()


def _drop_checks(*names: str) -> None:
    from corridor.exchange.rules import gate

    known = {check.__name__ for check in gate._ALL_CHECKS}
    if missing := set(names) - known:
        raise SystemExit(f"the gate has no {', '.join(missing)} to take away")
    gate._ALL_CHECKS = tuple(check for check in gate._ALL_CHECKS if check.__name__ not in names)


def _alarms_that_are(*, raised: bool) -> None:
    import numpy as np

    from corridor.science import detection

    real = detection.detect

    def patched(counts: Any, **options: Any) -> Any:
        alarms = real(counts, **options)
        return dataclasses.replace(alarms, alarm=raised & (np.asarray(counts)[alarms.evaluated] > 0))

    detection.detect = patched


def main(name: str, program: str, arguments: list[str]) -> None:
    """Take the guard away and run the program."""
    if program == "corridor":
        GUARDS[name]()
        from corridor.cli.main import main as corridor

        corridor(arguments)
    os.environ["DJANGO_SETTINGS_MODULE"] = "corridor.server.settings"
    import django
    from django.conf import settings

    # Argon2 is slow on purpose, and not what is shown here.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    django.setup()
    GUARDS[name]()
    from corridor.demo import player

    player.main()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])

"""The story in acts. Each asserts on the databases of both sides; what does not hold ends the demonstration."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from corridor.base.clock import utcnow
from corridor.demo import cast
from corridor.demo.cast import CHINA, NODES, PAKISTAN, RUSSIA, NodePart
from corridor.demo.simulate import CONDITIONS, SimulatedCountry, simulate
from corridor.demo.stage import CORRIDOR, ActFailed, Player, Stage, carry_round, guest, wait_for

PAIRS = ((PAKISTAN, CHINA), (CHINA, RUSSIA))
SMALL = range(1, 5)
"""Totals that the agreements withhold for every disease that is not notified at once."""
QUIET_ALARMS = 0.25
"""More alarms than this share of the weeks in places where nothing rises, and the detection cries wolf."""


@dataclass
class Story:
    """What the acts share: the stage, the calendar, the agreements, what was seen so far."""

    it: Stage
    monday: date
    say: Callable[[str], None]
    agreements: dict[str, str] = field(default_factory=dict)
    passwords: dict[str, dict[str, str]] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    simulated: dict[str, SimulatedCountry] = field(default_factory=dict)
    taken_until: date | None = None
    early_backup: Path | None = None
    scale: cast.Scale = field(default_factory=cast.Scale)
    progress: Callable[[int, int], None] = lambda done, of: None

    def week(self, back: int) -> date:
        """Return the Monday `back` weeks before the one that ends the story."""
        return self.monday - timedelta(weeks=back)


def check(holds: object, what: str) -> None:
    """Go on if `holds`, else end the act.

    Raises
    ------
    ActFailed
    """
    if not holds:
        raise ActFailed(f"expected that {what}")


def sign_the_agreements(story: Story) -> None:
    """Admit people, compare fingerprints, sign two agreements and a dormant emergency annex."""
    it = story.it
    with ThreadPoolExecutor(len(NODES)) as pool:
        admitted = pool.map(lambda part: it.player(part).do("admit", people=_people(part)), NODES)
        story.passwords = {part.country: passwords for part, passwords in zip(NODES, admitted, strict=True)}
    cards = {part.country: it.player(part).do("card") for part in NODES}
    story.fingerprints = {part.id: cards[part.country]["fingerprint"] for part in NODES}
    _try_to_pin_wrongly(it.player(PAKISTAN), cards[CHINA.country], other=cards[RUSSIA.country])
    for one, other in PAIRS:
        it.player(one).do("pin", **cards[other.country])
        it.player(other).do("pin", **cards[one.country])
    for name, (one, other) in (("pakistan_china", PAIRS[0]), ("china_russia", PAIRS[1]), ("emergency", PAIRS[0])):
        story.agreements[name] = sign_agreement(story, name, one, other)
    weekly, annex = story.agreements["pakistan_china"], story.agreements["emergency"]
    for part in PAIRS[0]:
        states = it.player(part).do("states")
        check(states[weekly] == "in-force", f"{part.id} holds the weekly agreement in force")
        check(states[annex] == "dormant", f"{part.id} holds the emergency annex dormant")
    check(story.agreements["china_russia"] not in it.player(PAKISTAN).do("states"), "Pakistan knows nothing of it")
    story.say(f"2 agreements in force, 1 emergency annex dormant; fingerprints compared: {len(PAIRS) * 2}")


def _people(part: NodePart) -> list[tuple[str, str, str]]:
    return [(name, role, part.language if role == "epidemiologist" else "en") for name, role in cast.PEOPLE]


def _try_to_pin_wrongly(player: Player, card: dict[str, str], *, other: dict[str, str]) -> None:
    wrong = player.attempt("pin", document=card["document"], fingerprint=other["fingerprint"])
    check(wrong.get("code") == "wrong-fingerprint", "a card with another fingerprint than the one read out is refused")
    alone = player.attempt("pin_alone", **card)
    check(alone.get("code") == "same-person", "one officer alone cannot pin a partner")


def load_the_past(story: Story) -> None:
    """Take in five years of line lists and site reports, judge them, and share the curves of two years."""
    it = story.it
    scale = story.scale
    first = story.week(scale.weeks)
    for part in NODES:
        story.simulated[part.country] = simulate(
            part.simulated_at(scale),
            first_week=first,
            weeks=scale.weeks,
            rises=cast.rises(story.monday),
            seed=cast.SEED,
        )
    until = story.week(scale.played_weeks)
    cases = take_in_until(story, until)
    _take_in_again(story, PAKISTAN, until)
    it.everywhere(NODES, "detect", until=until.isoformat())
    start = until - timedelta(weeks=scale.curve_weeks)
    it.everywhere(NODES, "share", first_on=start.isoformat(), end_on=until.isoformat())
    delivered(story)
    for part in NODES:
        it.player(part).do("looked")
    for sender, receiver in (*PAIRS, *((two, one) for one, two in PAIRS)):
        check(_figures(it.player(receiver), sender), f"{receiver.id} holds the curves of {sender.id}")
    story.say(
        f"{cases:,} simulated cases of 4 diseases and 2 syndromes in 3 countries; "
        f"curves of {scale.curve_weeks} weeks shared"
    )


def play_the_weeks(story: Story) -> None:
    """Play the last Mondays: what was reported comes in, is judged, and the agreed totals cross."""
    it = story.it
    story.early_backup = _backup(story, CHINA, "before")
    crossed = withheld = 0
    played = story.scale.played_weeks
    for back in range(played - 1, -1, -1):
        until = story.week(back)
        take_in_until(story, until)
        it.everywhere(NODES, "detect", until=until.isoformat())
        start = until - timedelta(weeks=4)
        for shared in it.everywhere(NODES, "share", first_on=start.isoformat(), end_on=until.isoformat()):
            crossed += shared["sent"]
            withheld += shared["withheld"]
        story.progress(played - back, played)
    delivered(story)
    for part in PAIRS[0]:
        board = it.player(part).do("board", disease=cast.RISING)
        check(board["simulated"], f"the board of {part.id} says that its figures are simulated")
        own = {(row["place"], row["start_on"]): row for row in board["own"]}
        last = own[(part.rising_place, story.week(1).isoformat())]
        check(last["sites_expected"], f"completeness stands beside the figures of {part.id}")
    check(withheld, "small totals travel as withheld")
    for sender, receiver in (*PAIRS, *((two, one) for one, two in PAIRS)):
        _same_figures(story, sender, receiver)
        _nothing_small(it.player(receiver), sender)
    story.say(f"{played} Mondays: {crossed:,} weekly figures crossed, {withheld:,} of them as withheld")


def notify_one_case(story: Story) -> None:
    """Send one suspected case of an immediately notifiable disease across at once, without age or sex."""
    it = story.it
    row = {
        "case_id": "SIM-PK-CHOLERA-1",
        "disease": cast.NOTIFIABLE,
        "place": "PK-SD",
        "onset_on": story.monday - timedelta(days=2),
        "report_on": story.monday - timedelta(days=1),
        "age_years": 31,
        "sex": "female",
        "classification": "suspected",
    }
    path = it.folder / "files" / "pk-cholera.csv"
    pl.DataFrame([row]).write_csv(path)
    it.player(PAKISTAN).do(
        "take_in", path=str(path), kind="line-list", source="immediate reports", as_of=_as_of(story.monday)
    )
    check(it.player(PAKISTAN).do("notify", disease=cast.NOTIFIABLE) == 1, "one notification is sent")
    seen = wait_for(
        "China sees the suspected case",
        lambda: [
            alert
            for alert in it.player(CHINA).do("board", disease=cast.NOTIFIABLE)["alerts"]
            if alert["disease"] == cast.NOTIFIABLE and alert["place"] == "PK-SD"
        ],
    )
    check(len(seen) == 1, "China holds exactly one notification")
    check(not it.player(RUSSIA).do("board", disease=cast.NOTIFIABLE)["alerts"], "Russia, which has no agreement, none")
    story.say("1 suspected cholera case crossed to China within seconds; Russia, with no agreement, saw nothing")


def see_the_rise(story: Story) -> None:
    """Show that both boards signal the rise, and that each side tells the other."""
    it = story.it
    for part, other in (PAIRS[0], PAIRS[0][::-1]):
        board = it.player(part).do("board", disease=cast.RISING)
        began = story.week(len(cast.RISE_FACTORS)).isoformat()
        mine = [each for each in board["signals"] if each["place"] == part.rising_place and each["start_on"] >= began]
        check(mine, f"{part.id} has a signal in its own district since the rise began")
        quiet = [row["alarm"] for row in board["own"] if row["place"] != part.rising_place and row["alarm"] is not None]
        check(
            quiet and sum(quiet) <= QUIET_ALARMS * len(quiet), f"{part.id} is not alarmed by places where nothing rises"
        )
        check(it.player(part).do("alert", disease=cast.RISING, place=part.rising_place) >= 1, f"{part.id} alerts")
        wait_for(
            f"{other.id} sees the alert of {part.id}",
            lambda part=part, other=other: any(
                alert["place"] == part.rising_place
                for alert in it.player(other).do("board", disease=cast.RISING)["alerts"]
            ),
        )
    story.say(
        "both boards signal the rise in their border district, and each shows the other's alert; nobody is the source"
    )


def refuse(story: Story) -> None:
    """Try what no agreement opens: it is refused at home, with a reason, and the refusal is logged."""
    it = story.it
    weekly = story.agreements["pakistan_china"]
    player = it.player(PAKISTAN)
    start = story.week(1).isoformat()
    tries = {
        "counts by age and sex": player.do(
            "try_age_and_sex", agreement=weekly, to=CHINA.id, place=PAKISTAN.rising_place, start_on=start
        ),
        "a row of a line list": player.do("try_line_list", agreement=weekly, to=CHINA.id),
        "counts to Russia, with which there is no agreement": player.do(
            "try_counts", agreement=weekly, to=RUSSIA.id, place="PK-PB", start_on=start, value=12
        ),
    }
    for what, tried in tries.items():
        check(tried["status"] == "refused", f"{what} is refused, came {tried['status']}")
        story.say(f"refused: {what} ({tried['reason']})")
    envelopes = {tried["envelope"] for tried in tries.values()}
    refused = {row["envelope_id"] for row in player.do("crossings") if row["status"] == "refused"}
    check(envelopes <= refused, "each refusal is on record")
    for part in (CHINA, RUSSIA):
        arrived = {row["envelope_id"] for row in it.player(part).do("crossings")}
        check(not envelopes & arrived, f"nothing of it reached {part.id}")


def open_the_annex(story: Story) -> None:
    """Open the dormant annex by one officer's signature on each side; daily counts cross while it is open."""
    it = story.it
    annex = story.agreements["emergency"]
    days = {"first_on": story.week(1).isoformat(), "end_on": story.monday.isoformat(), "period": "day"}
    check(it.player(PAKISTAN).do("share", **days)["sent"] == 0, "no daily count crosses while the annex is dormant")
    it.player(PAKISTAN).do("activate", agreement=annex)
    it.player(CHINA).do("activate", agreement=annex)
    for part in PAIRS[0]:
        wait_for(f"the annex is open at {part.id}", lambda part=part: it.player(part).do("states")[annex] == "in-force")
    sent = it.player(PAKISTAN).do("share", **days)["sent"]
    check(sent > 0, "daily counts cross once it is open")
    delivered(story)
    arrived = [row for row in it.player(CHINA).do("crossings", direction="in") if row["agreement"] == annex]
    check(
        [row for row in arrived if row["schema"].startswith("surveillance.") and row["status"] == "accepted"],
        "China accepted daily counts under the annex",
    )
    story.say(f"the emergency annex was opened by one signature of each side; {sent:,} daily figures crossed")


def suspend_and_resume(story: Story) -> None:
    """Suspend the agreement of China and Russia: nothing crosses; lift it: the corridor goes on."""
    it = story.it
    agreement = story.agreements["china_russia"]
    week = {"place": "RU-PRI", "start_on": story.week(2).isoformat(), "value": 17}
    it.player(CHINA).do("suspend", agreement=agreement)
    wait_for("Russia learns of it", lambda: it.player(RUSSIA).do("states")[agreement] == "suspended")
    tried = it.player(RUSSIA).do("try_counts", agreement=agreement, to=CHINA.id, **week)
    check(tried["status"] == "refused", "Russia's node refuses to send under a suspended agreement")
    it.player(CHINA).do("resume", agreement=agreement)
    for part in PAIRS[1]:
        wait_for(
            f"the agreement is in force again at {part.id}",
            lambda part=part: it.player(part).do("states")[agreement] == "in-force",
        )
    story.say(f"suspended: nothing crossed ({tried['reason']}); lifted by two persons: in force again")


def verify_offline(story: Story) -> None:
    """Let an auditor verify evidence with one command and no node; a changed byte and a forgery fail."""
    it = story.it
    weekly = story.agreements["pakistan_china"]
    sent = [
        row
        for row in it.player(PAKISTAN).do("crossings", direction="out", schema="surveillance.period-counts/1")
        if row["agreement"] == weekly and row["has_receipt"]
    ]
    check(sent, "Pakistan sent counts and holds the receipts")
    path = file_of(it.folder, "weekly-counts.json")
    it.player(PAKISTAN).do("prove", envelope=sent[-1]["envelope_id"], path=str(path))
    trust = [f"{node}={fingerprint}" for node, fingerprint in story.fingerprints.items() if node != RUSSIA.id]
    check(
        verdict(path, trust, program=it.programs.corridor) == ("authentic", 0),
        "the evidence is authentic for who compared the fingerprints",
    )
    check(
        verdict(path, [], program=it.programs.corridor) == ("unauthenticated", 3),
        "without fingerprints its signers are not authenticated",
    )
    data = bytearray(path.read_bytes())
    place = len(data) // 2
    data[place] = data[place] ^ 1
    changed = file_of(it.folder, "weekly-counts-one-bit-changed.json")
    changed.write_bytes(bytes(data))
    check(
        verdict(changed, trust, program=it.programs.corridor) == ("altered", 3),
        "a copy with one bit changed is altered",
    )
    for part in NODES:
        for tree in it.player(part).do("verify_log"):
            check(not tree["faults"], f"the log {tree['origin']} of {part.id} is whole")
    story.say(f"evidence of {len(data):,} bytes is authentic; with one bit changed it is not; all three logs are whole")


def find_the_edited_log(story: Story) -> None:
    """On copied homes: an insider edits the log and signs it anew; the partner's checkpoint convicts."""
    it, weekly = story.it, story.agreements["pakistan_china"]
    china, pakistan = _backup(story, CHINA, "now"), _backup(story, PAKISTAN, "now")
    with (
        guest(it, CHINA, backup=china, name="cn-edited") as insider,
        guest(it, PAKISTAN, backup=pakistan, name="pk-witness") as witness,
    ):
        check(carry_round(insider, witness, greets=False), "before the edit a round goes through")
        check(_disputes(witness, CHINA) == 0, "and nothing is in dispute")
        edited = insider.do("rewrite_history", agreement=weekly)
        carry_round(insider, witness, greets=False)
        check(_disputes(witness, CHINA) >= 1, "the partner's checkpoint shows that the log was edited")
    story.say(f"{edited} was edited on a copy and the log signed anew; the partner's checkpoint found it")


def welcome_the_restored(story: Story) -> None:
    """On copied homes: an honest restore of an old backup is welcomed back, and nothing takes effect twice."""
    it = story.it
    check(story.early_backup, "there is a backup from before the eight Mondays")
    early, pakistan = story.early_backup or Path(), _backup(story, PAKISTAN, "later")
    with (
        guest(it, CHINA, backup=early, name="cn-restored") as restored,
        guest(it, PAKISTAN, backup=pakistan, name="pk-partner") as partner,
    ):
        restored.do("put_back", path=str(early))
        before = len(_figures(restored, PAKISTAN))
        carry_round(restored, partner)
        check(restored.do("node_state") == "recovering", "the restored node signs nothing: a partner holds more")
        restored.do("open_epoch")
        carry_round(restored, partner)
        back = partner.do("confirm_restore", partner=CHINA.id)
        for _ in range(4):
            check(carry_round(partner, restored, times=2), "a round that arrives twice gets the same receipts twice")
            carry_round(restored, partner)
        check(restored.do("node_state") == "running", "two persons opened a new epoch, and the node runs again")
        check(_disputes(partner, CHINA) == 0, "an honest restore is no dispute")
        figures, live = _figures(restored, PAKISTAN), _figures(it.player(CHINA), PAKISTAN)
        check(figures == live, "the restored node holds what the running one holds, each figure once")
    story.say(f"a backup with {before:,} figures was restored; {back} crossings came back: {len(figures):,} figures")


def verdict(path: Path, trust: list[str], *, program: tuple[str, ...] = CORRIDOR) -> tuple[str, int]:
    """Return what ``corridor evidence verify`` says of a file, and its exit code."""
    command = [*program, "evidence", "verify", str(path), "--json"]
    for each in trust:
        command += ["--trust", each]
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own command line
    try:
        said = json.loads(run.stdout)["verdict"]
    except (json.JSONDecodeError, KeyError):
        said = run.stderr.strip()
    return said, run.returncode


def _backup(story: Story, part: NodePart, when: str) -> Path:
    path = story.it.folder / f"{part.country.lower()}-{when}.tar"
    story.it.player(part).do("back_up", path=str(path))
    return path


def _disputes(player: Player, with_: NodePart) -> int:
    return sum(row["disputes"] for row in player.do("partners") if row["node_id"] == with_.id)


def _figures(player: Player, of: NodePart) -> list[tuple[Any, ...]]:
    rows = player.do("board", disease=cast.RISING)["partners"]
    return sorted(
        (row["place"], row["start_on"], row["value"] or 0, row["withheld"]) for row in rows if row["from_node"] == of.id
    )


def sign_agreement(story: Story, name: str, one: NodePart, other: NodePart) -> str:
    """Have one side propose an agreement of the demonstration and both sign it; return its hash."""
    it = story.it
    agreement: str = it.player(one).do("propose", name=name, today=story.monday.isoformat())
    it.player(one).do("sign", agreement=agreement)
    wait_for(f"{other.id} holds the proposal", lambda: agreement in it.player(other).do("states"))
    it.player(other).do("sign", agreement=agreement)
    for part in (one, other):
        wait_for(
            f"{part.id} holds both signatures",
            lambda part=part: it.player(part).do("states")[agreement] in {"in-force", "dormant"},
        )
    return agreement


def take_in_until(story: Story, until: date) -> int:
    """Take in what was reported before `until` and not yet taken in, and the site reports of those weeks."""
    files = story.it.folder / "files"
    files.mkdir(exist_ok=True)
    since, rows = story.taken_until, 0
    for part in NODES:
        made = story.simulated[part.country]
        cases = _between(made.line_list, "report_on", since, until)
        sites = _between(made.site_reports, "date", since, until)
        for kind, frame in (("line-list", cases), ("counts", sites)):
            path = files / f"{part.country.lower()}-{kind}-{until}.csv"
            frame.write_csv(path)
            taken = story.it.player(part).do(
                "take_in", path=str(path), kind=kind, source=kind.replace("counts", "site reports"), as_of=_as_of(until)
            )
            check(taken["rejected"] == 0, f"no simulated row is rejected at {part.id}, came {taken['reasons']}")
        rows += cases.height
    story.taken_until = until
    return rows


def _take_in_again(story: Story, part: NodePart, until: date) -> None:
    """Check that the same file twice changes nothing."""
    path = story.it.folder / "files" / f"{part.country.lower()}-counts-{until}.csv"
    again = story.it.player(part).do(
        "take_in", path=str(path), kind="counts", source="site reports", as_of=_as_of(until)
    )
    check(again["is_repeat"] and again["added"] == 0, f"the same file twice changes nothing at {part.id}")


def _nothing_small(player: Player, sender: NodePart) -> None:
    """Check that no total which the agreement withholds lies in the partner's database."""
    for condition in CONDITIONS:
        rows = player.do("board", disease=condition.disease)["partners"]
        small = [row for row in rows if row["from_node"] == sender.id and row["value"] in SMALL]
        check(not small, f"no total of {condition.disease} below five of {sender.id} is known to {player.part.id}")


def _between(frame: pl.DataFrame, column: str, since: date | None, until: date) -> pl.DataFrame:
    wanted = pl.col(column) < until
    return frame.filter(wanted if since is None else wanted & (pl.col(column) >= since))


def _as_of(day: date) -> str:
    """Return six in the morning of a Monday, when last week is drawn, but never a moment to come."""
    return min(datetime.combine(day, time(6), utcnow().tzinfo), utcnow()).isoformat()


def delivered(story: Story) -> None:
    """Wait until nothing waits to be delivered at any node."""
    for part in NODES:
        wait_for(f"everything of {part.id} is delivered", lambda part=part: story.it.player(part).do("waiting") == 0)


def _same_figures(story: Story, sender: NodePart, receiver: NodePart) -> None:
    """Check that what the receiver shows is what the sender counted, and that a withheld figure shows nothing."""
    own: dict[tuple[str, str], Any] = {
        (row["place"], row["start_on"]): row["observed"]
        for row in story.it.player(sender).do("board", disease=cast.RISING)["own"]
    }
    theirs = story.it.player(receiver).do("board", disease=cast.RISING)["partners"]
    mine = [row for row in theirs if row["from_node"] == sender.id]
    check(mine, f"{receiver.id} holds figures of {sender.id}")
    recent = story.week(4).isoformat()
    for row in mine:
        if row["withheld"]:
            check(row["value"] is None, f"a withheld figure of {sender.id} shows nothing at {receiver.id}")
        elif row["start_on"] >= recent:
            check(
                row["value"] == own[(row["place"], row["start_on"])],
                f"{receiver.id} shows the figure that {sender.id} counted, {row['place']} {row['start_on']}",
            )


ACTS: tuple[tuple[str, Callable[[Story], None]], ...] = (
    ("Two agreements are signed", sign_the_agreements),
    ("Five years of figures are loaded", load_the_past),
    ("The last eight Mondays", play_the_weeks),
    ("One suspected case crosses at once", notify_one_case),
    ("Both boards show the rise", see_the_rise),
    ("What was refused", refuse),
    ("The emergency annex opens", open_the_annex),
    ("A suspended agreement", suspend_and_resume),
    ("An auditor verifies evidence offline", verify_offline),
    ("An edited log is found", find_the_edited_log),
    ("An honest restore is welcomed back", welcome_the_restored),
)


def file_of(folder: Path, name: str) -> Path:
    """Return where an act leaves a file for people to look at."""
    kept = folder / "evidence"
    kept.mkdir(exist_ok=True)
    return kept / name

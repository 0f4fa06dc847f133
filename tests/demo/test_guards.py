"""Each act of the demonstration fails where its guard is taken away.

One small stage is played up to the last Mondays (`make sabotage`). Most acts are then tried on copies of its homes
whose players lack a guard; acts that need the partner's answer are tried on the nodes that run. Here the acts must
fail; that they pass with every guard in place is what `test_whole` shows.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest

from corridor.demo import acts, cast, joint_study
from corridor.demo.acts import Story
from corridor.demo.cast import CHINA, NODES, PAKISTAN, RUSSIA, NodePart
from corridor.demo.stage import ActFailed, Programs, Stage, guest, stage, start_player, stop_player, wait_for
from tests.demo.sabotaged import GUARDS

SCALE = cast.Scale(weeks=64, played_weeks=4, curve_weeks=10, places=2)
MONDAY = date(2026, 3, 2)

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(900),
    pytest.mark.skipif("CORRIDOR_SABOTAGE" not in os.environ, reason="a stage of three nodes: run `make sabotage`"),
]


def without(guard: str) -> Programs:
    """Return programs that lack a guard."""
    assert guard in GUARDS
    script = (sys.executable, str(Path(__file__).with_name("sabotaged.py")), guard)
    return Programs(corridor=(*script, "corridor"), player=(*script, "player"))


@dataclass
class Played:
    """The stage after some acts, with backups of all nodes from before the acts that are tried on copies."""

    story: Story
    backups: dict[tuple[str, str], Path]
    copies: int = 0
    mondays_left: int = SCALE.played_weeks

    def back_up(self, when: str) -> None:
        """Keep a backup of every node."""
        for part in NODES:
            path = self.story.it.folder / f"{part.country}-{when}.tar"
            self.story.it.player(part).do("back_up", path=str(path))
            self.backups[when, part.country] = path

    @contextmanager
    def copied(self, when: str, guard: str, *parts: NodePart) -> Iterator[Story]:
        """Play on copies of the homes of `parts`, whose players lack a guard; the other nodes stay as they are."""
        it = replace(self.story.it, players=dict(self.story.it.players), programs=without(guard))
        with ExitStack() as stack:
            for part in parts:
                self.copies += 1
                name = f"copy-{self.copies}-{part.country.lower()}"
                it.players[part.country] = stack.enter_context(
                    guest(it, part, backup=self.backups[when, part.country], name=name)
                )
            yield self.on(it)

    @contextmanager
    def live(self, guard: str, *parts: NodePart) -> Iterator[Story]:
        """Play on the nodes that run, with players of `parts` that lack a guard."""
        it = replace(self.story.it, players=dict(self.story.it.players), programs=without(guard))
        players = [start_player(it, it.home(part), part) for part in parts]
        try:
            it.players.update({player.part.country: player for player in players})
            yield self.on(it)
        finally:
            for player in players:
                stop_player(player)

    def on(self, it: Stage) -> Story:
        """Return the story as it stands, on another stage."""
        return replace(self.story, it=it, simulated=dict(self.story.simulated), passwords=dict(self.story.passwords))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """A small stage after its first two acts."""
    with stage(tmp_path_factory.mktemp("demo") / "stage", NODES, programs=replace(without("none"), corridor=OWN)) as it:
        story = Story(it=it, monday=MONDAY, say=lambda text: None, scale=SCALE)
        done = Played(story, {})
        done.back_up("blank")
        acts.sign_the_agreements(story)
        done.back_up("signed")
        acts.load_the_past(story)
        done.back_up("loaded")
        yield done


OWN = Programs().corridor


def fails(act: Callable[[Story], None], story: Story, because: str) -> None:
    """See an act end with a sentence that says what does not hold."""
    with pytest.raises(ActFailed, match=because):
        act(story)


@pytest.mark.parametrize(
    ("guard", "because"),
    [("fingerprint", "another fingerprint than the one read out"), ("two-persons", "one officer alone cannot pin")],
)
def test_signing_fails_where_a_guard_of_pinning_is_missing(played: Played, guard: str, because: str) -> None:
    with played.copied("blank", guard, *NODES) as story:
        fails(acts.sign_the_agreements, story, because)


def test_loading_fails_where_a_file_may_be_taken_in_twice(played: Played) -> None:
    with played.copied("signed", "same-file", *NODES) as story:
        story.taken_until = None
        fails(acts.load_the_past, story, "the same file twice changes nothing")


@pytest.mark.parametrize(
    ("guard", "because"),
    [
        ("completeness", "completeness stands beside the figures"),
        ("suppression", "small totals travel as withheld|below five"),
    ],
)
def test_a_monday_fails_where_a_guard_of_figures_is_missing(played: Played, guard: str, because: str) -> None:
    played.mondays_left -= 1
    (played.story.it.folder / "cn-before.tar").unlink(missing_ok=True)
    with played.live(guard, *NODES) as story:
        # As if the story ended with the next Monday, and only that one were still to be played.
        last = replace(story, monday=story.week(played.mondays_left), scale=replace(SCALE, played_weeks=1))
        fails(acts.play_the_weeks, last, because)
    played.story.taken_until = last.taken_until


def test_a_notification_fails_where_it_goes_to_who_has_no_agreement(played: Played) -> None:
    with played.copied("loaded", "separation", PAKISTAN) as story:
        fails(acts.notify_one_case, story, "notify|one notification is sent")


@pytest.mark.parametrize(
    ("guard", "because"),
    [
        ("threshold-never", "has a signal in its own district"),
        ("threshold-always", "is not alarmed by places where nothing rises"),
    ],
)
def test_the_rise_is_not_seen_where_the_threshold_is_missing(played: Played, guard: str, because: str) -> None:
    with played.copied("loaded", guard, PAKISTAN, CHINA) as story:
        story.taken_until = story.week(SCALE.played_weeks)
        acts.take_in_until(replace(story, it=_without_russia(story.it)), story.monday)
        for part in (PAKISTAN, CHINA):
            story.it.player(part).do("detect", until=story.monday.isoformat())
        fails(acts.see_the_rise, story, because)


def _without_russia(it: Stage) -> Stage:
    """Return a stage on which what Russia takes in goes to no database."""

    class Nobody:
        def do(self, operation: str, **_: object) -> dict[str, object]:
            return {"rejected": 0, "reasons": {}}

    return replace(it, players={**it.players, RUSSIA.country: Nobody()})  # type: ignore[dict-item]  # it answers one operation


@pytest.mark.parametrize(
    ("guard", "because"),
    [
        ("closed-strata", "counts by age and sex is refused"),
        ("message-types", "a row of a line list is refused"),
        ("parties", "counts to Russia, with which there is no agreement is refused|try_counts"),
    ],
)
def test_refusing_fails_where_the_gate_is_open(played: Played, guard: str, because: str) -> None:
    with played.copied("loaded", guard, PAKISTAN) as story:
        fails(acts.refuse, story, because)


def test_the_annex_fails_where_dormant_counts_as_in_force(played: Played) -> None:
    with played.copied("loaded", "dormancy", PAKISTAN) as story:
        # The weeks after this one were not taken in yet, so that there would be nothing to send.
        story.monday = story.week(SCALE.played_weeks)
        fails(acts.open_the_annex, story, "no daily count crosses while the annex is dormant")


def test_suspending_fails_where_the_gate_lets_it_pass(played: Played) -> None:
    with played.live("suspension", RUSSIA) as story:
        try:
            fails(acts.suspend_and_resume, story, "refuses to send under a suspended agreement")
        finally:
            agreement = story.agreements["china_russia"]
            story.it.player(CHINA).do("resume", agreement=agreement)
            russia = played.story.it.player(RUSSIA)
            wait_for("the agreement is lifted", lambda: russia.do("states")[agreement] == "in-force")


def test_verifying_fails_where_digests_are_not_checked(played: Played) -> None:
    with played.copied("loaded", "digests") as story:
        fails(acts.verify_offline, story, "a copy with one bit changed is altered")


def test_an_edited_log_is_not_found_where_checkpoints_are_not_compared(played: Played) -> None:
    with played.copied("loaded", "consistency") as story:
        fails(acts.find_the_edited_log, story, "the partner's checkpoint shows that the log was edited")


def test_a_restore_fails_where_envelopes_are_not_known_again(played: Played) -> None:
    with played.copied("loaded", "exactly-once") as story:
        story.early_backup = played.backups["signed", CHINA.country]
        fails(acts.welcome_the_restored, story, "arrives twice gets the same receipts")


def test_a_study_fails_where_every_answer_may_leave(played: Played) -> None:
    with played.live("disclosure-control", PAKISTAN, CHINA) as story:
        fails(joint_study.study_together, story, "an analysis that tells of four patients of a site is refused")

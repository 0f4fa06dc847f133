"""The act of care: two protocols side by side, one schedule applied at home, and a figure for the symposium."""

from __future__ import annotations

from corridor.demo.acts import Story, check, delivered
from corridor.demo.cast import CHINA, PAKISTAN
from corridor.demo.stage import wait_for
from corridor.demo.studying import STUDY

__all__ = ["care_together"]

PATIENTS = {"PK": 80, "CN": 60}
DIFFER = {
    "regimens/tamoxifen/until": ["Five years", "Ten years"],
    "regimens/trastuzumab/cycle_days": [None, 21],
    "regimens/dose-dense-ac/cycles": [4, None],
}
"""Where the two simulated protocols differ, among others."""


def care_together(story: Story) -> None:
    """Publish a protocol of each side and a schedule, compare them, and list who is due at home."""
    it = story.it
    parts = (PAKISTAN, CHINA)
    protocols = [it.player(part).do("publish_treatment", country=part.country, institution=part.name) for part in parts]
    schedule = it.player(PAKISTAN).do("publish_schedule")
    shared = sorted([*protocols, schedule])
    for part in parts:
        wait_for(f"{part.id} holds all three", lambda part=part: it.player(part).do("care_hashes") == shared)
    differing = [it.player(part).do("compare_care", left=protocols[0], right=protocols[1]) for part in parts]
    check(differing[0] == differing[1], "both sides see the same differences")
    for place, said in DIFFER.items():
        check(differing[0].get(place) == said, f"{place} differs as written, came {differing[0].get(place)}")
    due = {
        part.country: it.player(part).do(
            "follow_patients", schedule=schedule, patients=PATIENTS[part.country], seed=seed
        )
        for seed, part in enumerate(parts, start=1)
    }
    check(all(each["overdue"] and each["due"] for each in due.values()), f"visits are overdue and due, came {due}")
    state = it.player(PAKISTAN).do("advance_study")
    run = next(name for name, each in state.items() if each["analysis"] == "primary" and each["state"] == "done")
    entry = it.player(PAKISTAN).do("bring_figure", study=STUDY, run=run)
    seen = wait_for("China sees the figure", lambda: it.player(CHINA).do("symposium", study=STUDY))
    check(seen == [{"id": entry, "run": run, "is_same": True}], f"its figure is that of the same blocks, came {seen}")
    delivered(story)
    story.say(f"two simulated protocols for breast cancer: {len(differing[0])} statements differ, among them tamoxifen")
    for part in parts:
        counts = due[part.country]
        told = "{overdue} visits overdue, {due} due".format(**counts)
        story.say(f"{part.name}, {PATIENTS[part.country]} simulated patients who stay there: {told}")
    story.say("for the symposium: the hazard ratio of the study, by reference; both sides hold the same blocks")

"""The act of the joint study: two nodes, two public cohorts, one answer, and no row that crosses."""

from __future__ import annotations

import math
from typing import Any

from corridor.demo.acts import Story, check, delivered, file_of, sign_agreement
from corridor.demo.cast import CHINA, PAKISTAN
from corridor.demo.stage import wait_for
from corridor.demo.studying import TOO_FEW

__all__ = ["study_together"]

SITES = {"nl": PAKISTAN, "de": CHINA}
ANALYSES = ("baseline-categories", "baseline-numbers", "primary", "logrank", "curves")
POOLED = -0.340919072482637
"""Coefficient of hormonal treatment on the pooled rows by R's ``coxph`` (survival 3.5-3), strata(site), Efron."""


def study_together(story: Story) -> None:
    """Sign a protocol over two nodes, ask for its analyses, and list the numbers that crossed."""
    it = story.it
    proposer, other = it.player(PAKISTAN), it.player(CHINA)
    agreement = story.agreements["study"] = sign_agreement(story, "study", PAKISTAN, CHINA)
    protocol = proposer.do("propose_study", agreement=agreement)
    wait_for("China holds the protocol", lambda: other.do("study_state")["protocol"] == protocol)
    proposer.do("sign_study", protocol=protocol)
    early = proposer.attempt("request_analysis", analysis="primary")
    check(early.get("code") == "protocol-not-locked", "nothing is computed before every site has signed")
    other.do("sign_study", protocol=protocol)
    for part in SITES.values():
        wait_for(f"{part.id} holds both signatures", lambda part=part: it.player(part).do("study_state")["is_locked"])
    rows = {site: it.player(part).do("freeze_cohort", country=part.country) for site, part in SITES.items()}
    runs = {name: proposer.do("request_analysis", analysis=name) for name in (*ANALYSES, TOO_FEW)}
    ended = wait_for("every run has ended at both nodes", lambda: _ended(story, runs))
    for name in ANALYSES:
        at = [each[runs[name]] for each in ended.values()]
        check(all(run["state"] == "done" for run in at), f"{name} is done at both nodes, came {at[0]['reasons']}")
        check(at[0]["result"] == at[1]["result"], f"both nodes come to the same numbers in {name}")
    few = [each[runs[TOO_FEW]]["state"] for each in ended.values()]
    check(few == ["refused", "refused"], f"an analysis that tells of four patients of a site is refused, came {few}")
    delivered(story)
    blocks = {site: it.player(part).do("study_blocks") for site, part in SITES.items()}
    check(blocks["nl"] == blocks["de"], "each node holds the same blocks as the other, own and received")
    check(not [each for each in blocks["nl"] if each["run"] == runs[TOO_FEW]], "nothing of what was refused crossed")
    longest = max(each["numbers"] for each in blocks["nl"])
    check(longest < min(rows.values()), f"no block holds a number for each patient, the longest has {longest}")
    values = ended["nl"][runs["primary"]]["result"]["values"]
    check(
        math.isclose(values["coef"][0], POOLED, rel_tol=1e-8),
        f"the coefficient is that of the pooled rows, {POOLED}, came {values['coef'][0]}",
    )
    primary = sum(each["numbers"] for each in blocks["nl"] if each["run"] == runs["primary"])
    _open_the_forest_plot(story, runs["primary"], values, primary)
    _tell(story, runs, rows, blocks["nl"], values)


def _ended(story: Story, runs: dict[str, str]) -> dict[str, dict[str, Any]] | None:
    """Move the runs on at both nodes and return how they stand, once all of them have ended at both."""
    stand = {site: story.it.player(part).do("advance_study") for site, part in SITES.items()}
    over = all(
        runs[name] in each and each[runs[name]]["state"] != "running" for each in stand.values() for name in runs
    )
    return stand if over else None


def _open_the_forest_plot(story: Story, run: str, values: dict[str, Any], numbers: int) -> None:
    """Open the page of the primary result at the proposer's node, and keep its forest plot for people to look at."""
    it = story.it
    kept = file_of(it.folder, "forest-plot.svg")
    opened = it.player(PAKISTAN).do("open_forest_plot", run=run, path=str(kept))
    check(f"hazard ratio {values['hr'][0]:.2f}" in opened["text"], "the page of the result says the hazard ratio")
    check(f"0 rows and {numbers:,} numbers crossed" in opened["text"], "and how many numbers crossed for it")
    drawn = kept.read_text(encoding="utf-8")
    drawn_terms = [name for name in ("Hormonal treatment", "Age at surgery", "Positive lymph nodes") if name in drawn]
    check(len(drawn_terms) == 3 and "Hazard ratio" in drawn, f"the forest plot names its terms, came {drawn_terms}")
    story.say(f"forest plot opened: {it.urls[PAKISTAN.country]}{opened['page']}, kept as {kept}")


def _tell(
    story: Story, runs: dict[str, str], rows: dict[str, int], blocks: list[dict[str, Any]], values: dict[str, Any]
) -> None:
    crossed = sum(each["numbers"] for each in blocks)
    cohorts = "Rotterdam tumour bank, {nl:,} rows, and German Breast Cancer Study Group, {de:,} rows".format(**rows)
    story.say(f"two public cohorts stand in for patients of the two countries: {cohorts}")
    hr, low, high = (values[name][0] for name in ("hr", "hr_low", "hr_high"))
    story.say(f"hazard ratio of hormonal treatment {hr:.2f} ({low:.2f} to {high:.2f}), as on the pooled rows")
    story.say(f"refused: an analysis of four patients of each site; 0 rows and {crossed:,} numbers crossed:")
    for name, run in runs.items():
        mine = [each for each in blocks if each["run"] == run]
        if mine:
            lists = sorted({label.partition(":")[0] for each in mine for label in each["lists"]})
            rounds = max(each["round"] for each in mine)
            story.say(f"  {name}: {sum(each['numbers'] for each in mine):,} in {rounds} rounds ({', '.join(lists)})")

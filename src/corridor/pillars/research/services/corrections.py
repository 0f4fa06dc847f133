"""Whether frozen rows may follow former ones: what was corrected must not show by asking the same of both."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from corridor.base.errors import Refused
from corridor.pillars.research.models import ProtocolVersion, Release, Snapshot
from corridor.pillars.research.queries.studies import current_protocol
from corridor.pillars.research.rules.analyses import KINDS
from corridor.pillars.research.rules.disclosure import Policy, corrected_rows, tells_few_corrections
from corridor.pillars.research.rules.protocol import read_protocol
from corridor.pillars.research.rules.rows import IntArray, Mask, SiteTable
from corridor.pillars.research.services.person_numbers import number_persons
from corridor.pillars.research.services.released_sets import sets_of_releases

__all__ = ["FewCorrections", "former_snapshots", "refuse_few_corrections"]


class FewCorrections(Refused):
    """Rows differ from former ones in the values of so few persons that the same numbers of both give them away."""

    code: ClassVar[str] = "few-corrections"


def former_snapshots(snapshot: Snapshot) -> list[Snapshot]:
    """Return the other frozen rows of this site of which numbers left, or may leave in another study."""
    others = Snapshot.objects.select_related("study").exclude(hash=snapshot.hash)
    used = set(Release.objects.values_list("snapshot", flat=True).distinct())
    found = {row.hash: row for row in others.filter(hash__in=used)}
    newest: dict[int, Snapshot] = {}
    for row in others.filter(signed_at__isnull=False).exclude(study=snapshot.study).order_by("signed_at"):
        newest[row.study_id] = row
    return list({**found, **{row.hash: row for row in newest.values()}}.values())


def refuse_few_corrections(latter: SiteTable, former: SiteTable, *, snapshot: Snapshot, after: Snapshot) -> None:
    """Refuse `snapshot` where what it corrects in `after` would show.

    Parameters
    ----------
    latter, former : SiteTable
        Their rows.

    To be called under `lock_ledger`.

    Raises
    ------
    FewCorrections
        How many persons differ is not said: that there are 1 to k - 1 is all that a steward needs to know.
    """
    policies = [Policy.of(current_protocol(row.study).disclosure) for row in (snapshot, after)]
    if not all(policy.has("corrections") for policy in policies):
        return
    corrected = corrected_rows(former, latter)
    if not corrected:
        return
    smallest = max(policy.smallest_cell for policy in policies)
    numbers, released = number_persons(latter), _sets_of_sums(after.hash)
    size = 1 + max(int(each.max(initial=0)) for each in (numbers, *released))
    masks = [_mask(numbers[rows], size) for rows in corrected.values()]
    if tells_few_corrections(masks, [_mask(each, size) for each in released], smallest=smallest):
        raise FewCorrections(
            f"these rows differ from rows of which numbers left before ({after.study.name}, {after.hash[:12]}) in"
            f" values of fewer than {smallest} persons, among all or in a group that those numbers tell apart: the same"
            " analysis of both would give their corrections away. Keep the former rows, and freeze anew once at least"
            f" {smallest} persons differ in each variable that changes, and in each such group."
        )


def _mask(numbers: IntArray, size: int) -> Mask:
    mask = np.zeros(size, dtype=bool)
    mask[numbers] = True
    return mask


def _sets_of_sums(snapshot: str) -> list[IntArray]:
    """Return the sets of persons over which sums left of these rows; counts show a correction by the sets alone."""
    found: list[IntArray] = []
    for protocol, analysis in Release.objects.filter(snapshot=snapshot).values_list("protocol", "analysis").distinct():
        item = read_protocol(bytes(ProtocolVersion.objects.get(hash=protocol).document)).analysis(analysis)
        if item is None or not KINDS[item.kind].counts_alone:
            found += sets_of_releases(snapshot=snapshot, protocol=protocol, analysis=analysis)
    return found

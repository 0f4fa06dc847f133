"""Whether frozen rows may follow former ones, and answers on them: asking the same of both must show no correction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from corridor.base.errors import Refused
from corridor.pillars.research.models import ProtocolVersion, Release, Snapshot
from corridor.pillars.research.queries.row_files import has_rows
from corridor.pillars.research.queries.studies import current_protocol
from corridor.pillars.research.rules.analyses import KINDS
from corridor.pillars.research.rules.disclosure import Policy, corrected_rows, tells_few_corrections
from corridor.pillars.research.rules.protocol import read_protocol
from corridor.pillars.research.rules.rows import IntArray, Mask, SiteTable
from corridor.pillars.research.services.frozen import frozen_table
from corridor.pillars.research.services.person_numbers import number_persons
from corridor.pillars.research.services.released_sets import sets_of_releases

__all__ = [
    "FewCorrections",
    "RowsGone",
    "former_snapshots",
    "refuse_few_corrections",
    "rows_of",
    "would_tell_corrections",
]


class FewCorrections(Refused):
    """Rows differ from former ones in the values of so few persons that the same numbers of both give them away."""

    code: ClassVar[str] = "few-corrections"


class RowsGone(Refused):
    """Frozen rows are not in this home any more, as after a restore elsewhere."""

    code: ClassVar[str] = "rows-gone"


def former_snapshots(snapshot: Snapshot) -> list[Snapshot]:
    """Return the other frozen rows of this site of which numbers left, or may leave in another study.

    Raises
    ------
    RowsGone
        If a database that was put back knows nothing of rows of which numbers left.
    """
    others = Snapshot.objects.select_related("study").exclude(hash=snapshot.hash)
    used = _used_besides(snapshot.hash)
    found = {row.hash: row for row in others.filter(hash__in=used)}
    for unknown in sorted(used - set(found)):
        raise _gone(unknown)
    newest: dict[int, Snapshot] = {}
    for row in others.filter(signed_at__isnull=False).exclude(study=snapshot.study).order_by("signed_at"):
        newest[row.study_id] = row
    return list({**found, **{row.hash: row for row in newest.values()}}.values())


def rows_of(snapshot: Snapshot) -> SiteTable:
    """Return frozen rows, to be compared with others.

    Raises
    ------
    RowsGone
    """
    if not has_rows(snapshot.name):
        raise _gone(snapshot.hash)
    return frozen_table(snapshot, site=snapshot.study.own_site)


def _gone(hash_: str) -> RowsGone:
    return RowsGone(
        f"the rows {hash_[:12]}, of which numbers may have left, are not here any more: whether others correct them"
        " cannot be seen. Freeze the same rows anew: `corridor study data` finds them by their hash."
    )


def _used_besides(snapshot: str) -> set[str]:
    """Return the hashes of the other rows of which numbers left."""
    return set(Release.objects.exclude(snapshot=snapshot).values_list("snapshot", flat=True).distinct())


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
    smallest = max(policy.smallest_cell for policy in policies)
    # What was asked of the former rows may be asked of the latter, and so may everybody.
    sums = [number_persons(latter), *_sets_of_sums(after.hash)]
    if _tells(corrected_rows(former, latter), former=sums, latter=sums, table=latter, smallest=smallest):
        raise FewCorrections(
            f"these rows differ from rows of which numbers left before ({after.study.name}, {after.hash[:12]}) in"
            f" values of fewer than {smallest} persons, among all or in a group that those numbers tell apart: the same"
            " analysis of both would give their corrections away. Keep the former rows, and freeze anew once at least"
            f" {smallest} persons differ in each variable that changes, and in each such group."
        )


def would_tell_corrections(offered: Iterable[Mask], *, table: SiteTable, snapshot: str, smallest: int) -> bool:
    """Return whether sums over `offered` sets of rows would tell, with sums of other frozen rows, a few corrections.

    After corrected rows were signed, the former may still be asked: by a run that began on them, or in another study.
    True as well where other rows of which numbers left cannot be read any more: what cannot be compared waits. To be
    called under `lock_ledger`.

    Parameters
    ----------
    offered : arrays of bool, shape (rows of the table,)
    snapshot : str
        Hash of the rows.
    """
    used = _used_besides(snapshot)
    others = {row.hash: row for row in Snapshot.objects.select_related("study").filter(hash__in=used)}
    if used - set(others) or not all(has_rows(other.name) for other in others.values()):
        return True
    for other in others.values():
        former = rows_of(other)
        corrected = table.once(("corrected", other.hash), partial(corrected_rows, former, table))
        if not corrected:
            continue
        numbers = number_persons(table)
        own = [*_sets_of_sums(snapshot), *(numbers[rows] for rows in offered)]
        if _tells(corrected, former=_sets_of_sums(other.hash), latter=own, table=table, smallest=smallest):
            return True
    return False


def _tells(
    corrected: Mapping[str, Mask],
    *,
    former: Sequence[IntArray],
    latter: Sequence[IntArray],
    table: SiteTable,
    smallest: int,
) -> bool:
    """Return `tells_few_corrections` of rows of `table`, for sets that are given by the numbers of their persons."""
    numbers = number_persons(table)
    size = 1 + max(int(each.max(initial=0)) for each in (numbers, *former, *latter))
    return tells_few_corrections(
        [_mask(numbers[rows], size) for rows in corrected.values()],
        former=[_mask(each, size) for each in former],
        latter=[_mask(each, size) for each in latter],
        smallest=smallest,
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

"""The test of proportional hazards over sites: whether an effect changes with time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corridor.science.cox_results import ChiSquare
from corridor.science.cox_rows import CoxRows
from corridor.science.linear_systems import solve
from corridor.science.survival_data import BadModel, BadSurvivalData

__all__ = ["HazardsBlock", "HazardsTest", "TimeTransform", "hazards_block", "hazards_test"]

TimeTransform = Literal["identity", "log"]


@dataclass(frozen=True)
class HazardsBlock:
    """What a site gives away for the test; blocks of sites add up. g is the transformed time.

    Attributes
    ----------
    transform : "identity" or "log"
    gradient, timed_gradient : arrays, shape (p,)
        Sums over events of covariate less risk set mean, and of g times that.
    information, timed_information, squared_information : arrays, shape (p, p)
        Sums over events of the variance in the risk set, of g and of g squared times that.
    """

    transform: TimeTransform
    gradient: NDArray[np.float64]
    timed_gradient: NDArray[np.float64]
    information: NDArray[np.float64]
    timed_information: NDArray[np.float64]
    squared_information: NDArray[np.float64]


@dataclass(frozen=True)
class HazardsTest:
    """Tests of proportional hazards: one of each covariate, one of all together."""

    transform: TimeTransform
    names: tuple[str, ...]
    covariates: tuple[ChiSquare, ...]
    together: ChiSquare


def hazards_block(rows: CoxRows, beta: ArrayLike, *, transform: TimeTransform = "log") -> HazardsBlock:
    """Return one site's part of the test at the fitted coefficients `beta`, shape (p,).

    Raises
    ------
    BadModel
        If `transform` is neither "identity" nor "log". Ranks of times and the Kaplan-Meier curve would need every
        site's event times.
    BadSurvivalData
        If the logarithm is asked of an event at time 0.
    """
    times = rows.event_times
    if transform == "log":
        if (times <= 0).any():
            raise BadSurvivalData("times: an event lies at 0, which has no logarithm. Use transform='identity'.")
        g = np.log(times)
    elif transform == "identity":
        g = times
    else:
        raise BadModel(
            f"transform is {transform!r}; expected 'identity' or 'log'. Ranks and Kaplan-Meier need pooled event times."
        )
    plain, timed, squared = (rows.scaled_block(beta, scale) for scale in (np.ones(g.size), g, g * g))
    return HazardsBlock(
        transform=transform,
        gradient=plain.gradient,
        timed_gradient=timed.gradient,
        information=plain.information,
        timed_information=timed.information,
        squared_information=squared.information,
    )


def hazards_test(blocks: Sequence[HazardsBlock], *, names: Sequence[str]) -> HazardsTest:
    """Return the tests from the blocks of all sites.

    Raises
    ------
    BadModel
        If blocks do not fit together.
    CollinearCovariates
        If events at a single time leave nothing to test.

    Notes
    -----
    The score test of covariates times g(t) added to the model, as R's ``cox.zph`` since survival 3.0. Source: Grambsch
    and Therneau 1994, Biometrika 81:515, who gave an approximation of it.
    """
    width = len(names)
    if not blocks or len({block.transform for block in blocks}) != 1:
        raise BadModel("blocks are missing or of different transforms of time; expected one of each site, alike.")
    if any(block.gradient.shape != (width,) or block.information.shape != (width, width) for block in blocks):
        raise BadModel(f"blocks have other shapes than {width} covariates need.")
    score = np.concatenate([sum(block.gradient for block in blocks), sum(block.timed_gradient for block in blocks)])
    information = np.block(
        [
            [sum(block.information for block in blocks), sum(block.timed_information for block in blocks)],
            [sum(block.timed_information for block in blocks), sum(block.squared_information for block in blocks)],
        ]
    )
    labels = [*names, *(f"{name} × time" for name in names)]

    def test(chosen: list[int], df: int) -> ChiSquare:
        part = score[chosen]
        found = solve(information[np.ix_(chosen, chosen)], part, names=[labels[place] for place in chosen])
        return ChiSquare.of(max(0.0, float(found @ part)), df)

    model = list(range(width))
    return HazardsTest(
        transform=blocks[0].transform,
        names=tuple(names),
        covariates=tuple(test([*model, width + number], 1) for number in model),
        together=test(list(range(2 * width)), width),
    )

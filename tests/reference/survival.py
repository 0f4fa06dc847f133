"""Slow, obvious second implementations of survival analysis: one person, one event time, one tied event at a time.

Nothing here is shared with `corridor.science`.
"""

import numpy as np


def at_risk(times, entry, t):
    """Return who is at risk at t."""
    return np.array([start < t <= end for start, end in zip(entry, times, strict=True)])


def _event_steps(times, events, covariates, beta, *, ties, weights, entry):
    """Yield for each tied event: time, weight, who is at risk, each one's share in the risk set, its mean."""
    risk = np.exp(covariates @ beta)
    for t in sorted({time for time, event in zip(times, events, strict=True) if event}):
        there = at_risk(times, entry, t)
        died = there & (times == t) & (events == 1)
        count = int(died.sum())
        for m in range(count):
            share = there.astype(float)
            if ties == "efron":
                share[died] = 1 - m / count
            terms = share * weights * risk
            mean = (terms[:, None] * covariates).sum(axis=0) / terms.sum()
            yield t, weights[died].mean(), died, share, terms, mean


def _filled(times, weights, entry, strata):
    weights = np.ones(len(times)) if weights is None else np.asarray(weights, float)
    entry = np.full(len(times), -1.0) if entry is None else np.asarray(entry, float)
    strata = np.zeros(len(times), int) if strata is None else np.asarray(strata)
    return weights, entry, strata


def cox_block(times, events, covariates, beta, *, ties="efron", weights=None, entry=None, strata=None, scale=None):
    """Return log partial likelihood, gradient and information; `scale` is a function of time that weighs each event."""
    weights, entry, strata = _filled(times, weights, entry, strata)
    scale = scale or (lambda t: 1.0)
    width = covariates.shape[1]
    loglik, gradient, information = 0.0, np.zeros(width), np.zeros((width, width))
    for stratum in sorted(set(strata.tolist())):
        rows = strata == stratum
        part = covariates[rows]
        for t, weight, died, _, terms, mean in _event_steps(
            times[rows], events[rows], part, beta, ties=ties, weights=weights[rows], entry=entry[rows]
        ):
            by = scale(t) * weight
            loglik -= by * np.log(terms.sum())
            gradient -= by * mean
            spread = part - mean
            information += by * (spread.T * terms) @ spread / terms.sum()
            own = (weights[rows][died, None] * part[died]).sum(axis=0) / died.sum()
            loglik += scale(t) * own @ beta
            gradient += scale(t) * own
    return loglik, gradient, information


def score_residuals(times, events, covariates, beta, *, ties="efron", weights=None, entry=None, strata=None):
    """Return the weighted score residual of each row."""
    weights, entry, strata = _filled(times, weights, entry, strata)
    residuals = np.zeros(covariates.shape)
    for stratum in sorted(set(strata.tolist())):
        rows = np.flatnonzero(strata == stratum)
        part = covariates[rows]
        risk = np.exp(part @ beta)
        for _, weight, died, share, terms, mean in _event_steps(
            times[rows], events[rows], part, beta, ties=ties, weights=weights[rows], entry=entry[rows]
        ):
            for i, row in enumerate(rows):
                residuals[row] -= weight / terms.sum() * share[i] * risk[i] * (part[i] - mean)
                if died[i]:
                    residuals[row] += (part[i] - mean) / died.sum()
    return residuals * weights[:, None]

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


def hazards_test(sites, beta, *, transform, ties):
    """Return chi-squared of each covariate, then of all, over sites given as times, events, covariates."""
    g = {"identity": lambda t: t, "log": np.log}[transform]
    width = len(beta)
    score, information = np.zeros(2 * width), np.zeros((2 * width, 2 * width))
    for times, events, covariates in sites:
        _, u0, i0 = cox_block(times, events, covariates, beta, ties=ties)
        _, u1, i1 = cox_block(times, events, covariates, beta, ties=ties, scale=g)
        _, _, i2 = cox_block(times, events, covariates, beta, ties=ties, scale=lambda t: g(t) ** 2)
        score += np.concatenate([u0, u1])
        information += np.vstack([np.hstack([i0, i1]), np.hstack([i1, i2])])

    def test(chosen):
        part = np.ix_(chosen, chosen)
        return score[chosen] @ np.linalg.solve(information[part], score[chosen])

    model = list(range(width))
    return [test([*model, width + j]) for j in range(width)] + [test(list(range(2 * width)))]


def kaplan_meier(times, events, t, entry=None):
    """Return survival beyond t and Greenwood's standard error."""
    _, entry, _ = _filled(times, None, entry, None)
    survival, greenwood = 1.0, 0.0
    for s in sorted({time for time, event in zip(times, events, strict=True) if event and time <= t}):
        n = int(at_risk(times, entry, s).sum())
        d = int(((times == s) & (events > 0)).sum())
        survival *= 1 - d / n
        greenwood += d / (n * (n - d)) if n > d else np.inf
    return survival, survival * np.sqrt(greenwood) if survival > 0 else np.nan


def restricted_mean(times, events, tau):
    """Return the area under the Kaplan-Meier curve of whole-number times up to a whole tau, and its standard error."""
    mean = sum(kaplan_meier(times, events, day)[0] for day in range(int(tau)))
    variance = 0.0
    for s in range(1, int(tau)):
        n, d = int((times >= s).sum()), int(((times == s) & (events > 0)).sum())
        if d and n > d:
            area = sum(kaplan_meier(times, events, day)[0] for day in range(s, int(tau)))
            variance += area**2 * d / (n * (n - d))
    return mean, np.sqrt(variance)


def cumulative_incidence(times, causes, t, cause):
    """Return the incidence of `cause` by t and its standard error: the delta method on all hazards, by differences."""
    moments = sorted({time for time, kind in zip(times, causes, strict=True) if kind and time <= t})
    kinds = sorted({int(kind) for kind in causes if kind})
    risk = [int((times >= moment).sum()) for moment in moments]
    hazards = np.array([[np.mean(causes[times >= m] * (times[times >= m] == m) == k) for k in kinds] for m in moments])

    def incidence(h):
        alive, had = 1.0, 0.0
        for row in h:
            had += alive * row[kinds.index(cause)]
            alive *= 1 - row.sum()
        return had

    if not moments or cause not in kinds:
        return 0.0, 0.0
    variance = 0.0
    for place, n in enumerate(risk):
        slope = np.zeros(len(kinds))
        for k in range(len(kinds)):
            up, down = hazards.copy(), hazards.copy()
            up[place, k] += 1e-5
            down[place, k] -= 1e-5
            slope[k] = (incidence(up) - incidence(down)) / 2e-5
        p = hazards[place]
        variance += slope @ (np.diag(p) - np.outer(p, p)) @ slope / n
    return incidence(hazards), np.sqrt(variance)


def logrank(times, events, groups, labels, *, rho=0.0, entry=None, strata=None):
    """Return observed, expected and variance by group, one event time at a time."""
    _, entry, strata = _filled(times, None, entry, strata)
    size = len(labels)
    observed, expected, variance = np.zeros(size), np.zeros(size), np.zeros((size, size))
    for stratum in sorted(set(strata.tolist())):
        rows = strata == stratum
        t, e, g, since = times[rows], events[rows], groups[rows], entry[rows]
        survival = 1.0
        for s in sorted(set(t[e > 0].tolist())):
            there = at_risk(t, since, s)
            died = there & (t == s) & (e > 0)
            n, d, weight = int(there.sum()), int(died.sum()), survival**rho
            share = np.array([(there & (g == label)).sum() / n for label in labels])
            observed += weight * np.array([(died & (g == label)).sum() for label in labels])
            expected += weight * d * share
            if n > 1:
                variance += weight**2 * d * (n - d) / (n - 1) * (np.diag(share) - np.outer(share, share))
            survival *= 1 - d / n
    return observed, expected, variance


def concordance(times, events, score, strata=None):
    """Return counts (concordant, discordant, tied score, tied time, tied both), concordance and standard error."""
    _, _, strata = _filled(times, None, None, strata)
    counts = [0, 0, 0, 0, 0]
    won, pairs = np.zeros(len(times)), np.zeros(len(times))
    for i in range(len(times)):
        for j in range(len(times)):
            if strata[i] != strata[j] or i == j or not events[i]:
                continue
            if times[i] == times[j] and events[j]:
                if i < j:
                    counts[4 if score[i] == score[j] else 3] += 1
                continue
            if times[i] > times[j]:
                continue
            kind = 0 if score[i] > score[j] else 1 if score[i] < score[j] else 2
            counts[kind] += 1
            for row in (i, j):
                won[row] += (1.0, 0.0, 0.5)[kind]
                pairs[row] += 1
    total = sum(counts[:3])
    if total == 0:
        return counts, None, None
    value = (counts[0] + 0.5 * counts[2]) / total
    return counts, value, np.sqrt((((won - value * pairs) / total) ** 2).sum())

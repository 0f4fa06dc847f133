"""What is not computed at all, why, and what to ask instead."""

from collections.abc import Mapping

__all__ = ["REFUSED_KINDS"]

REFUSED_KINDS: Mapping[str, str] = {
    "kaplan-meier-daily": "a curve by day shows single events, most of which are alone on their day."
    " Ask for kaplan-meier, on the protocol's time grid",
    "risk-sets": "sums over the risk set at single times give back whole rows by subtraction of neighbours."
    " Ask for cox, stratified by site, which needs none, or for cox-unstratified, on the protocol's time grid",
    "extremes": "a minimum or maximum is one person's value. Ask for moments, or for quantiles over a public grid",
    "ranks": "pooled ranks need single values from every site. Ask for moments with standardised differences,"
    " for quantiles over a public grid, or for logrank",
    "rows": "rows never leave a site. Ask for counts or moments",
}

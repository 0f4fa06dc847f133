"""What is not computed at all, why, and what to ask instead."""

from collections.abc import Mapping

__all__ = ["REFUSED_KINDS"]

REFUSED_KINDS: Mapping[str, str] = {
    "kaplan-meier-daily": "a curve by day shows single events, most of which are alone on their day."
    " Ask for kaplan-meier, on the protocol's time grid",
    "risk-sets": "sums over the risk set at single times give back whole rows by subtraction of neighbours."
    " Ask for cox, stratified by site, which needs none",
    "cox-unstratified": "one risk set over all sites needs sums over those at risk by interval of time; with p terms"
    " their differences can be solved for the rows of the few who leave within one. Ask for cox, stratified by site;"
    " or for the log-rank test over all sites that kaplan-meier gives",
    "extremes": "a minimum or maximum is one person's value. Ask for moments",
    "quantiles": "a quantile of a number is the value of one person, or lies between those of two. Ask for moments, or"
    " for counts of a category; kaplan-meier gives quantiles of times on the time grid",
    "ranks": "pooled ranks need single values from every site. Ask for moments with standardised differences,"
    " or logrank",
    "rows": "rows never leave a site. Ask for counts or moments",
}

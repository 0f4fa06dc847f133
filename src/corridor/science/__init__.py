"""The science of the corridor: pure functions on arrays. Parts are loaded when they are first used."""

from importlib import import_module

# A function and its module never share a name: loading the module would put it in the function's place.
_HOMES = {
    "Alarms": "alarms",
    "BadCounts": "series",
    "BadDates": "series",
    "BadModel": "survival_data",
    "BadOption": "series",
    "BadSurvivalData": "survival_data",
    "CoefficientsTooLarge": "cox_rows",
    "CollinearCovariates": "linear_systems",
    "Concordance": "concordances",
    "ConcordanceBlock": "concordances",
    "CoxBlock": "cox_rows",
    "CoxFit": "cox_results",
    "CoxIntervalBlock": "cox_intervals",
    "CoxRows": "cox_rows",
    "EValue": "e_values",
    "GroupedQuantile": "grouped_quantiles",
    "HazardsBlock": "proportional_hazards",
    "HazardsTest": "proportional_hazards",
    "Heterogeneity": "meta_analyses",
    "IncidenceCurve": "survival_curves",
    "IntervalTable": "interval_tables",
    "LogrankBlock": "logrank_tests",
    "LogrankTest": "logrank_tests",
    "ModelFit": "generalised_models",
    "ModelRows": "generalised_models",
    "MonotoneLikelihood": "cox_newton",
    "NewtonState": "cox_newton",
    "NoEvents": "cox_rows",
    "NotConverged": "cox_newton",
    "PooledEstimate": "meta_analyses",
    "Shortfall": "alarms",
    "SurvivalCurve": "survival_curves",
    "TooFewWeeks": "series",
    "UnknownMethod": "series",
    "coarsen": "interval_tables",
    "combine_cox_intervals": "cox_intervals",
    "combine_tables": "interval_tables",
    "concordance": "concordances",
    "concordance_block": "concordances",
    "concordance_block_of_table": "concordances",
    "cox_fit": "cox_results",
    "cox_interval_block": "cox_intervals",
    "cox_site_block": "cox_rows",
    "cumulative_incidence": "survival_curves",
    "detect": "detection",
    "detect_on_cluster": "cluster",
    "distinct_edges": "interval_tables",
    "e_value": "e_values",
    "ears": "ears_methods",
    "farrington": "farrington_methods",
    "farrington_flexible": "farrington_methods",
    "fit_cox": "cox_results",
    "grouped_quantile": "grouped_quantiles",
    "hazards_block": "proportional_hazards",
    "hazards_test": "proportional_hazards",
    "heterogeneity": "meta_analyses",
    "interval_table": "interval_tables",
    "kaplan_meier": "survival_curves",
    "logrank_block": "logrank_tests",
    "logrank_block_of_table": "logrank_tests",
    "logrank_test": "logrank_tests",
    "merge_intervals": "interval_tables",
    "model_fit": "generalised_models",
    "newton_start": "cox_newton",
    "newton_step": "cox_newton",
    "pool_estimates": "meta_analyses",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)

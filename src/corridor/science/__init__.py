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
    "CollinearCovariates": "cox_newton",
    "CoxBlock": "cox_rows",
    "CoxFit": "cox_results",
    "CoxRows": "cox_rows",
    "MonotoneLikelihood": "cox_newton",
    "NewtonState": "cox_newton",
    "NoEvents": "cox_rows",
    "NotConverged": "cox_newton",
    "Shortfall": "alarms",
    "TooFewWeeks": "series",
    "UnknownMethod": "series",
    "cox_fit": "cox_results",
    "cox_site_block": "cox_rows",
    "detect": "detection",
    "detect_on_cluster": "cluster",
    "ears": "ears_methods",
    "farrington": "farrington_methods",
    "farrington_flexible": "farrington_methods",
    "fit_cox": "cox_results",
    "newton_start": "cox_newton",
    "newton_step": "cox_newton",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)

"""Names of countries and places in the language of the page, from the reference data."""

from functools import lru_cache

from corridor.base.reference import places


@lru_cache(maxsize=4096)
def place_name(code: str, *, language: str) -> str:
    """Return the name of a place by code (``PK``, ``PK-SD``), in English where the language has none, else the code."""
    place = places().get(code)
    if place is None:
        return code
    return place.names.get(language) or place.names.get("en") or code

"""Reference data of the whole house: places and diseases, each row with its source and the day it was read."""

from functools import cache
from importlib.resources import files

from corridor.base.reference.borders import Border, read_borders
from corridor.base.reference.diseases import Disease, Diseases, read_diseases
from corridor.base.reference.places import Place, PlaceFileFault, Places, read_places

__all__ = ["Border", "Disease", "Diseases", "Place", "PlaceFileFault", "Places", "borders", "diseases", "places"]

_DATA = files("corridor.base.reference") / "data"


@cache
def places() -> Places:
    """Return the places of this process: the package's own, and what was loaded since by `Places.load`."""
    shipped = sorted((_DATA / "places").iterdir(), key=lambda file: file.name)
    return Places(
        (place for file in shipped if file.name.endswith(".csv") for place in read_places(file)),
        borders=((row.place, row.neighbour) for row in borders()),
    )


@cache
def borders() -> list[Border]:
    """Return the rows of the package on places that adjoin across a border."""
    return read_borders(_DATA / "borders.csv")


@cache
def diseases() -> Diseases:
    """Return the diseases and syndromes of the package."""
    return read_diseases((_DATA / "diseases.toml").read_text(encoding="utf-8"))

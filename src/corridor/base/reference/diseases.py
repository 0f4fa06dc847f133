"""Notifiable diseases and syndromes: codes, names in four languages, defaults of detection and disclosure.

What an agreement says comes before these defaults, and none of them states a country's law.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from corridor.base.reference.names import NameIndex, name_in, name_key

__all__ = ["Detection", "Disclosure", "Disease", "Diseases", "SerialInterval", "read_diseases"]

_ICD10 = re.compile(r"([A-Z]\d\d)(?:\.\d{1,2})?", re.ASCII)
_ICD10_RANGE = re.compile(r"([A-Z])(\d\d)-([A-Z])(\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class SerialInterval:
    """Time from onset in one case to onset in the case that it infects.

    Parameters
    ----------
    mean_days : float
    sd_days : float or None
        None where the publication gives no standard deviation.
    citation : str
    """

    mean_days: float
    sd_days: float | None
    citation: str


@dataclass(frozen=True, slots=True)
class Detection:
    """How outbreaks of a disease are looked for.

    Parameters
    ----------
    method : str
        A method name of ``corridor detect``.
    options : dict
        Options of that method that differ from its defaults.
    fixed_value : int or None
        A count from which each period is a signal, whatever the method says: 1 where one case must be looked at.
    """

    method: str
    options: dict[str, Any] = field(compare=False)
    fixed_value: int | None = None


@dataclass(frozen=True, slots=True)
class Disclosure:
    """From how many cases a figure may cross.

    Parameters
    ----------
    total : int
        Smallest place total that crosses: 1 lets every total cross.
    strata : int or None
        Smallest cell by age or sex that crosses; None: strata never cross.
    """

    total: int
    strata: int | None


@dataclass(frozen=True, slots=True)
class Disease:
    """A notifiable disease or a syndrome.

    Parameters
    ----------
    code : str
        Kebab-case English, stable.
    kind : "disease" or "syndrome"
    icd10 : str
        Code or range; for a syndrome the nearest code.
    names : dict of language key to name
        English is always there.
    aliases : tuple of str
    case_classes : tuple of str
        From the widest to the narrowest.
    notifiable : "immediate" or "weekly"
    definition : str
        Name of the case definition that the counts follow by default.
    detection, disclosure
    serial_interval : SerialInterval or None
        None where no citation is sure.
    source, source_on
    """

    code: str
    kind: Literal["disease", "syndrome"]
    icd10: str
    names: dict[str, str] = field(compare=False)
    aliases: tuple[str, ...]
    case_classes: tuple[str, ...]
    notifiable: Literal["immediate", "weekly"]
    definition: str
    detection: Detection
    disclosure: Disclosure
    serial_interval: SerialInterval | None
    source: str
    source_on: date

    def name(self, language: str = "en") -> str:
        """Return the name in a language, or in English where it has none."""
        return name_in(self.names, language)


class Diseases:
    """The known diseases and syndromes, found by code, ICD-10 code or name."""

    def __init__(self, diseases: Iterable[Disease]) -> None:
        self._diseases = {disease.code: disease for disease in diseases}
        self._index = NameIndex()
        for disease in self:
            self._index.add(disease.code, [disease.code, disease.icd10, *_each_code(disease.icd10)])
            self._index.add(disease.code, [*disease.names.values(), *disease.aliases])

    def __iter__(self) -> Iterator[Disease]:
        return iter(self._diseases.values())

    def __len__(self) -> int:
        return len(self._diseases)

    def get(self, code: str) -> Disease | None:
        """Return the disease of a code, or None."""
        return self._diseases.get(code)

    def resolve(self, text: str) -> Disease | None:
        """Return the one disease that a text names, in any script, by name, alias or ICD-10 code; else None.

        An ICD-10 subcategory (``B05.2``) finds the disease of its category (``B05``). A code that names both a
        disease and a syndrome means the disease, since syndromes have no code of their own.
        """
        found = [self._diseases[code] for code in sorted(self._index.exact(text))]
        if not found and (icd10 := _ICD10.fullmatch(text.strip().upper())):
            found = [self._diseases[code] for code in sorted(self._index.exact(icd10[1]))]
        if len(found) > 1:
            found = [disease for disease in found if disease.kind == "disease"]
        return found[0] if len(found) == 1 else None

    def candidates(self, text: str) -> list[Disease]:
        """Return the diseases that a text may mean, best first, for a person to choose."""
        codes = sorted(self._index.exact(text)) or self._index.near(text)
        key = name_key(text)
        part = [code for code, disease in self._diseases.items() if len(key) > 3 and key in name_key(disease.name())]
        return [self._diseases[code] for code in dict.fromkeys([*codes, *part])]


def _each_code(icd10: str) -> list[str]:
    """Write out the categories of a range such as A15-A19."""
    ends = _ICD10_RANGE.fullmatch(icd10)
    if ends is None or ends[1] != ends[3]:
        return []
    return [f"{ends[1]}{number:02d}" for number in range(int(ends[2]), int(ends[4]) + 1)]


def read_diseases(text: str) -> Diseases:
    """Read the table of diseases from TOML (the package's own ``data/diseases.toml``).

    Raises
    ------
    KeyError
        If an entry lacks a field: the table ships with the package, so that is a fault of the package.
    """
    return Diseases(_disease(entry) for entry in tomllib.loads(text)["disease"])


def _disease(entry: dict[str, Any]) -> Disease:
    detection, disclosure, interval = entry["detection"], entry["disclosure"], entry.get("serial_interval")
    return Disease(
        code=entry["code"],
        kind=entry["kind"],
        icd10=entry["icd10"],
        names=entry["names"],
        aliases=tuple(entry["aliases"]),
        case_classes=tuple(entry["case_classes"]),
        notifiable=entry["notifiable"],
        definition=entry["definition"],
        detection=Detection(detection["method"], detection["options"], detection.get("fixed_value")),
        disclosure=Disclosure(disclosure["total"], disclosure.get("strata")),
        serial_interval=interval
        and SerialInterval(interval["mean_days"], interval.get("sd_days"), interval["citation"]),
        source=entry["source"],
        source_on=entry["source_on"],
    )

"""Numbers, dates and week labels as each language writes them (pure).

Source: Unicode CLDR 47, number and date patterns of ``en-GB``, ``zh-Hans``, ``ru`` and ``ur``. All four use Western
digits by default; Urdu as written in Pakistan does too.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

NO_BREAK_SPACE = "\u00a0"
MINUS = "\u2212"


@dataclass(frozen=True)
class Conventions:
    """How one language writes numbers and dates.

    Attributes
    ----------
    group, decimal : str
        Separators of a number.
    percent : str
        What follows the number of a percentage.
    months, months_short : tuple of 12 str
    day, day_short : str
        Patterns with the places ``{d}``, ``{month}`` and ``{y}``.
    """

    group: str
    decimal: str
    percent: str
    months: tuple[str, ...]
    months_short: tuple[str, ...]
    day: str
    day_short: str


_ENGLISH = Conventions(
    group=",",
    decimal=".",
    percent="%",
    months=(
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
    months_short=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sept", "Oct", "Nov", "Dec"),
    day="{d} {month} {y}",
    day_short="{d} {month} {y}",
)
_CHINESE = Conventions(
    group=",",
    decimal=".",
    percent="%",
    months=tuple(f"{number}月" for number in range(1, 13)),
    months_short=tuple(f"{number}月" for number in range(1, 13)),
    day="{y}年{month}{d}日",
    day_short="{y}年{month}{d}日",
)
_RUSSIAN = Conventions(
    group=NO_BREAK_SPACE,
    decimal=",",
    percent=f"{NO_BREAK_SPACE}%",
    months=(
        "января",
        "февраля",
        "марта",
        "апреля",
        "мая",
        "июня",
        "июля",
        "августа",
        "сентября",
        "октября",
        "ноября",
        "декабря",
    ),
    months_short=(
        "янв.",
        "февр.",
        "мар.",
        "апр.",
        "мая",
        "июн.",
        "июл.",
        "авг.",
        "сент.",
        "окт.",
        "нояб.",
        "дек.",
    ),
    day="{d} {month} {y} г.",
    day_short="{d} {month} {y} г.",
)
_URDU_MONTHS = (
    "جنوری",
    "فروری",
    "مارچ",
    "اپریل",
    "مئی",
    "جون",
    "جولائی",
    "اگست",
    "ستمبر",
    "اکتوبر",
    "نومبر",
    "دسمبر",
)
_URDU = Conventions(
    group=",",
    decimal=".",
    percent="%",
    months=_URDU_MONTHS,
    months_short=_URDU_MONTHS,
    day="{d} {month}، {y}",
    day_short="{d} {month}، {y}",
)

CONVENTIONS = {"en": _ENGLISH, "zh-hans": _CHINESE, "ru": _RUSSIAN, "ur": _URDU}
LANGUAGE_NAMES = {"en": "English", "zh-hans": "中文", "ru": "Русский", "ur": "اردو"}


def conventions(language: str) -> Conventions:
    """Return the conventions of a language code, those of English for one that is not among the four."""
    return CONVENTIONS.get(language.lower(), _ENGLISH)


def number_text(value: float | Decimal, *, language: str, decimals: int | None = None) -> str:
    """Return a number in the digits and separators of a language.

    Parameters
    ----------
    value : int, float or Decimal
    language : str
    decimals : int, optional
        Digits after the separator. Without it integers have none and other numbers have one.
    """
    places = decimals if decimals is not None else (0 if float(value).is_integer() else 1)
    rules = conventions(language)
    whole, _, fraction = f"{abs(value):,.{places}f}".partition(".")
    text = whole.replace(",", rules.group) + (rules.decimal + fraction if fraction else "")
    negative = value < 0 and any(digit in text for digit in "123456789")
    return MINUS + text if negative else text


def percent_text(share: float, *, language: str, decimals: int = 0) -> str:
    """Return a share between 0 and 1 as a percentage, such as ``96%`` or, in Russian, ``96 %``."""
    return number_text(share * 100, language=language, decimals=decimals) + conventions(language).percent


def day_text(value: date, *, language: str, short: bool = False) -> str:
    """Return a date in words, such as ``9 November 2026``."""
    rules = conventions(language)
    months = rules.months_short if short else rules.months
    pattern = rules.day_short if short else rules.day
    return pattern.format(d=value.day, month=months[value.month - 1], y=value.year)


def moment_text(value: datetime, *, language: str) -> str:
    """Return a point in time in words with hours and minutes; the zone is named, since two countries read it."""
    zone = value.tzname() or "UTC"
    return f"{day_text(value.date(), language=language, short=True)} {value:%H:%M} {zone}"

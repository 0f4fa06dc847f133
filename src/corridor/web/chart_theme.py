"""How charts look, in the light and in the dark, and how they write numbers (pure).

Definitions of charts name no colour: a mark carries a style (``cases``, ``signal``, ``withheld`` …), and this is the
place that says what the style looks like. The values repeat the tokens of ``static/web/tokens.css``; a test compares.
"""

from typing import Any, Literal, TypeAlias

from corridor.web.formats import conventions

Theme: TypeAlias = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")

COLOURS: dict[Theme, dict[str, str]] = {
    "light": {
        "ink": "#1a1f24",
        "paper": "#ffffff",
        "quiet": "#4d5863",
        "line": "#c8d0d7",
        "wash": "#f3f5f7",
        "accent": "#0b5680",
        "alarm": "#a81f17",
    },
    "dark": {
        "ink": "#e8ebee",
        "paper": "#171c21",
        "quiet": "#a9b4be",
        "line": "#3b454f",
        "wash": "#0f1317",
        "accent": "#7fc4ec",
        "alarm": "#ff8f86",
    },
}
HATCH = "#a1b2c3"
"""A colour that no mark has: where it fills a mark of a rendered picture, a hatching takes its place."""

FONTS = {
    "en": "Noto Sans, system-ui, sans-serif",
    "ru": "Noto Sans, system-ui, sans-serif",
    "zh-hans": "Noto Sans, Noto Sans CJK SC, Noto Sans SC, PingFang SC, Microsoft YaHei, sans-serif",
    "ur": "Noto Sans, Noto Naskh Arabic, Noto Sans Arabic, Geeza Pro, Tahoma, sans-serif",
}

_WEEKDAYS = {
    "en": ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"),
    "zh-hans": ("星期日", "星期一", "星期二", "星期三", "星期四", "星期五", "星期六"),
    "ru": ("воскресенье", "понедельник", "вторник", "среда", "четверг", "пятница", "суббота"),
    "ur": ("اتوار", "پیر", "منگل", "بدھ", "جمعرات", "جمعہ", "ہفتہ"),
}


def config(theme: Theme, *, language: str = "en", watermark_size: int = 40) -> dict[str, Any]:
    """Return the Vega-Lite configuration of the house.

    Parameters
    ----------
    theme : ``light`` or ``dark``
    language : str
        Decides the typefaces.
    watermark_size : int, pixels
        Of the word that marks simulated figures.

    Returns
    -------
    dict
        For the ``config`` of a Vega-Lite definition.
    """
    colours = COLOURS[theme]
    font = FONTS.get(language, FONTS["en"])
    text = {"font": font, "fill": colours["ink"], "color": colours["ink"]}
    return {
        "background": None,
        "font": font,
        "padding": {"left": 2, "right": 6, "top": 8, "bottom": 2},
        "view": {"stroke": None},
        "axis": {
            "labelColor": colours["quiet"],
            "titleColor": colours["quiet"],
            "titleFontWeight": "normal",
            "labelFontSize": 12,
            "titleFontSize": 12,
            "gridColor": colours["line"],
            "gridOpacity": 0.6,
            "domainColor": colours["line"],
            "tickColor": colours["line"],
        },
        "axisX": {"grid": False},
        "axisY": {"domain": False, "ticks": False, "labelPadding": 6, "tickCount": 5},
        "legend": {
            "labelColor": colours["ink"],
            "titleColor": colours["quiet"],
            "labelFontSize": 12,
            "titleFontSize": 12,
            "orient": "top",
        },
        "title": {"color": colours["ink"], "fontSize": 14, "anchor": "start"},
        "bar": {"color": colours["accent"]},
        "line": {"color": colours["ink"], "strokeWidth": 1.5},
        "text": {"color": colours["ink"], "fontSize": 12},
        "range": {"category": [colours["accent"], colours["ink"], colours["quiet"], colours["line"]]},
        # `color` and not `fill`: Vega-Lite writes the default colour into a mark unless its style names one.
        "style": {
            "cases": {"color": colours["accent"]},
            "partner-cases": {"color": colours["quiet"]},
            "signal": {"color": colours["alarm"]},
            "incomplete": {"fill": HATCH, "color": HATCH, "stroke": colours["accent"], "strokeWidth": 1},
            "withheld": {
                "fill": "transparent",
                "color": "transparent",
                "stroke": colours["quiet"],
                "strokeWidth": 1,
                "strokeDash": [2, 2],
            },
            "expected": {"color": colours["ink"], "strokeWidth": 1.5},
            "limit": {"color": colours["alarm"], "strokeWidth": 1.5, "strokeDash": [4, 3]},
            "signal-label": {**text, "color": colours["alarm"], "fill": colours["alarm"], "fontSize": 11},
            "outbreak": {"color": colours["line"], "opacity": 0.5},
            "graticule": {"color": colours["line"], "strokeWidth": 0.75, "filled": False},
            "land": {
                "color": colours["line"],
                "fill": colours["line"],
                "fillOpacity": 0.45,
                "stroke": colours["paper"],
                "strokeWidth": 0.75,
            },
            "outline": {
                "color": colours["wash"],
                "fill": colours["wash"],
                "stroke": colours["quiet"],
                "strokeWidth": 0.75,
            },
            "place": {"color": colours["accent"], "opacity": 0.8},
            "partner-place": {"color": colours["quiet"], "opacity": 0.8},
            "ring": {"color": colours["alarm"], "strokeWidth": 2.5, "filled": False, "opacity": 1},
            "ring-label": {**text, "fontSize": 11},
            "country-label": {**text, "color": colours["quiet"], "fill": colours["quiet"], "fontSize": 13},
            "corridor": {"color": colours["quiet"], "strokeOpacity": 0.6, "filled": False},
            "watermark": watermark_style(theme, language=language, size=watermark_size),
        },
    }


def watermark_style(theme: Theme, *, language: str, size: int = 40) -> dict[str, Any]:
    """Return how the word that marks simulated figures stands in a picture: large, across, and behind no one's back."""
    return {
        "font": FONTS.get(language, FONTS["en"]),
        "fill": COLOURS[theme]["ink"],
        "color": COLOURS[theme]["ink"],
        "fillOpacity": 0.22,
        "fontSize": size,
        "fontWeight": "bold",
        "align": "center",
        "baseline": "middle",
        "angle": -12,
    }


def number_locale(language: str) -> dict[str, Any]:
    """Return the d3 description of how a language writes numbers."""
    rules = conventions(language)
    return {
        "decimal": rules.decimal,
        "thousands": rules.group,
        "grouping": [3],
        "currency": ["", ""],
        "percent": rules.percent,
        "minus": "\u2212",
    }


def time_locale(language: str) -> dict[str, Any]:
    """Return the d3 description of how a language writes dates."""
    rules = conventions(language)
    weekdays = _WEEKDAYS.get(language, _WEEKDAYS["en"])
    return {
        "dateTime": "%x %X",
        "date": "%Y-%m-%d",
        "time": "%H:%M:%S",
        "periods": ["AM", "PM"],
        "days": list(weekdays),
        "shortDays": list(weekdays) if language != "en" else [day[:3] for day in weekdays],
        "months": list(rules.months),
        "shortMonths": list(rules.months_short),
    }


def enable(theme: Theme = "light", *, language: str = "en") -> None:
    """Make Altair in a notebook draw in the house's style."""
    import altair as alt

    @alt.theme.register(f"corridor-{theme}", enable=True)
    def house() -> alt.theme.ThemeConfig:
        return {"config": config(theme, language=language)}  # type: ignore[typeddict-item]  # Vega-Lite's own keys

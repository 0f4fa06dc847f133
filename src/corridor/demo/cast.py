"""Who plays in the demonstration: three nodes, their people by office, and what is simulated where."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

from corridor.demo.simulate import Country, Rise

SEED = 20261123
WEEKS = 287
"""Five and a half years."""
PLAYED_WEEKS = 8
RISING = "influenza-like-illness"
NOTIFIABLE = "cholera"
RISE_FACTORS = (1.4, 2.0, 2.8, 3.4)

PEOPLE: tuple[tuple[str, str], ...] = (
    ("officer.one", "officer"),
    ("officer.two", "officer"),
    ("epidemiologist", "epidemiologist"),
    ("steward", "steward"),
    ("researcher", "researcher"),
    ("clinician", "clinician"),
    ("auditor", "auditor"),
)
"""People are named by their office: nobody who exists is meant."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is played.

    Attributes
    ----------
    weeks : weeks of line lists, the played ones included
    played_weeks : the last Mondays, played one by one
    curve_weeks : earlier weeks that are shared when the agreement begins, so that curves stand side by side
    places : places per country, the first ones; None for all
    """

    weeks: int = WEEKS
    played_weeks: int = PLAYED_WEEKS
    curve_weeks: int = 104
    places: int | None = None


@dataclass(frozen=True, kw_only=True)
class NodePart:
    """One institution of the story."""

    id: str
    country: str
    name: str
    authority: str
    law: str
    language: str
    simulation: Country

    @property
    def rising_place(self) -> str:
        """The invented district of this country, where the simulated outbreak rises."""
        return f"{self.country}-X1"

    def simulated_at(self, scale: Scale) -> Country:
        """Return what is simulated of this country at a scale."""
        return replace(self.simulation, places=self.simulation.places[: scale.places])


PAKISTAN = NodePart(
    id="pk.demo",
    country="PK",
    name="Pakistan demonstration node",
    authority="Authority of the demonstration, Pakistan",
    law="Demonstration: no law is relied on, the figures are simulated",
    language="ur",
    simulation=Country(
        code="PK",
        places=(("PK-X1", 0.8), ("PK-PB", 2.6), ("PK-SD", 1.8), ("PK-KP", 1.4), ("PK-BA", 0.7), ("PK-GB", 0.4)),
        median_delay_days=3.0,
        sites=24,
        site_reporting=0.93,
    ),
)
CHINA = NodePart(
    id="cn.demo",
    country="CN",
    name="China demonstration node",
    authority="Authority of the demonstration, China",
    law="Demonstration: no law is relied on, the figures are simulated",
    language="zh-hans",
    simulation=Country(
        code="CN",
        places=(("CN-X1", 0.7), ("CN-XJ", 1.2), ("CN-GS", 1.0), ("CN-QH", 0.5), ("CN-HL", 1.1), ("CN-NM", 0.9)),
        median_delay_days=2.0,
        sites=30,
        site_reporting=0.98,
    ),
)
RUSSIA = NodePart(
    id="ru.demo",
    country="RU",
    name="Russia demonstration node",
    authority="Authority of the demonstration, Russia",
    law="Demonstration: no law is relied on, the figures are simulated",
    language="ru",
    simulation=Country(
        code="RU",
        places=(("RU-AMU", 0.7), ("RU-PRI", 1.1), ("RU-KHA", 0.9), ("RU-ZAB", 0.7), ("RU-NVS", 1.3), ("RU-OMS", 0.9)),
        median_delay_days=2.5,
        sites=26,
        site_reporting=0.96,
    ),
)
NODES = (PAKISTAN, CHINA, RUSSIA)
COHORTS = {"PK": "cohort-rotterdam.csv", "CN": "cohort-gbsg.csv"}
"""The public cohort that a node holds in the study: of the Rotterdam tumour bank and of the German Breast Cancer Study
Group, as harmonised from the data sets ``rotterdam`` and ``gbsg`` of R's package survival (Royston and Altman 2013, BMC
Medical Research Methodology 13:33). No patient of the demonstration's countries is among them."""


def last_monday(today: date) -> date:
    """Return the Monday of this week, which ends the last whole week."""
    return today - timedelta(days=today.weekday())


def rises(monday: date) -> tuple[Rise, ...]:
    """Return the outbreak of the story: it begins in the same week on both sides of the border.

    Parameters
    ----------
    monday : the Monday that ends the last week played
    """
    first = monday - timedelta(weeks=len(RISE_FACTORS))
    return tuple(
        Rise(disease=RISING, place=node.rising_place, first_week=first, factors=RISE_FACTORS)
        for node in (PAKISTAN, CHINA)
    )

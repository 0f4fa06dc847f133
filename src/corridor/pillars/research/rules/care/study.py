"""The protocol of a study that asks how well a schedule is kept: adherence as counts under the rules of every study."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from corridor.pillars.research.rules.care.adherence import NOT_YET
from corridor.pillars.research.rules.care.schedule import Item, RiskGroup, Schedule

__all__ = ["CODES", "StudySite", "adherence_study", "kept_names", "study_toml"]

_LONGEST_NAME, _LONGEST_ID = 40, 62
CODES = {
    "all": ("kept-all", "within every window that has closed"),
    "some": ("kept-some", "within some of them"),
    "none": ("kept-none", "within none of them"),
    NOT_YET: (NOT_YET, "no window has closed yet"),
}
"""How a class of adherence is coded in a table, with its label; the word ``none`` alone would be read as no value."""


_PSEUDONYM = {"en": "Pseudonym", "zh-hans": "化名编号", "ru": "Псевдоним", "ur": "فرضی شناخت"}
_RISK_GROUP = {"en": "Risk group", "zh-hans": "风险组", "ru": "Группа риска", "ur": "خطرے کا گروہ"}


@dataclass(frozen=True)
class StudySite:
    """One site of the study."""

    id: str
    node: str
    country: str
    institution: str


def kept_names(schedule: Schedule) -> dict[str, str]:
    """Return for the code of each item the name of the study's variable, each name once."""
    names: dict[str, str] = {}
    for index, code in enumerate(schedule.item_codes, start=1):
        name = f"kept_{code.replace('-', '_')}"
        names[code] = name if len(name) <= _LONGEST_NAME and name not in names.values() else f"kept_{index}"
    return names


def adherence_study(
    schedule: Schedule, *, study: str, sites: Sequence[StudySite], ends_on: date, authorship: str, smallest_cell: int
) -> dict[str, Any]:
    """Return the members of a protocol whose analyses count who kept the schedule, by risk group and item.

    The sites add their ethics approvals; without one a site does not compute. Each item of each group is an analysis
    of its own, so that a group too small to be told of withholds nothing else.
    """
    names = kept_names(schedule)
    titles = {item.code: item.title for group in schedule.groups for item in group.items}
    classes = [{"code": code, "label": label} for code, label in CODES.values()]
    groups = [{"code": group.code, "label": group.title} for group in schedule.groups]
    by_group = len(groups) > 1
    return {
        "study": study,
        "time_zero": schedule.start,
        "plan": f"Persons by how they kept each item of {schedule.url}, version {schedule.version}, in each risk group:"
        " within all windows that have closed, some or none. A window counts once it has closed while the patient was"
        " under observation.",
        "authorship": authorship,
        "ends_on": ends_on,
        "missing": "complete-cases",
        "title": {
            "en": f"How well follow-up is kept: {schedule.title}",
            "zh-hans": f"随访依从性：{schedule.title}",
            "ru": f"Соблюдение графика наблюдения: {schedule.title}",
            "ur": f"معائنوں کی پابندی: {schedule.title}",
        },
        "question": {
            "en": "Do patients come when the schedule asks for it?",
            "zh-hans": "患者是否按计划随访？",
            "ru": "Приходят ли пациенты в сроки, которых требует график?",
            "ur": "کیا مریض نظام الاوقات کے مطابق آتے ہیں؟",
        },
        "population_text": {
            "en": "Patients whom a site follows up by the schedule.",
            "zh-hans": "中心按该计划随访的患者。",
            "ru": "Пациенты, которых центр наблюдает по этому графику.",
            "ur": "وہ مریض جنہیں مرکز اس نظام الاوقات کے مطابق دیکھتا ہے۔",
        },
        "disclosure": {"smallest_cell": smallest_cell},
        "sites": [
            {"id": each.id, "node": each.node, "country": each.country, "institution": each.institution}
            for each in sites
        ],
        "variables": [
            {"name": "person", "type": "person", "label": _PSEUDONYM},
            *([{"name": "risk_group", "type": "category", "label": _RISK_GROUP, "codes": groups}] * by_group),
            *(
                {"name": name, "type": "category", "label": {"en": titles[code]}, "codes": classes}
                for code, name in names.items()
            ),
        ],
        "analyses": [
            {
                "id": id_,
                "kind": "counts",
                "title": {"en": f"{item.title}: {group.title}"},
                "variables": [names[item.code]],
                "where": [
                    *([{"variable": "risk_group", "is": group.code}] * by_group),
                    {"variable": names[item.code], "is_not": NOT_YET},
                ],
            }
            for id_, group, item in _parts(schedule)
        ],
    }


def study_toml(members: Mapping[str, Any]) -> str:
    """Return the members of a protocol as TOML to read and to complete."""
    plain = {key: value for key, value in members.items() if not _is_table(value)}
    lines = [f"{key} = {_value(value)}" for key, value in plain.items()]
    for key, value in members.items():
        if isinstance(value, Mapping):
            lines += ["", f"[{key}]", *(f"{name} = {_value(inner)}" for name, inner in value.items())]
        elif _is_table(value):
            for entry in value:
                lines += ["", f"[[{key}]]", *(f"{name} = {_value(inner)}" for name, inner in entry.items())]
                if key == "sites":
                    lines.append(
                        '# approvals = [{ kind = "ethics", body = "…", number = "…", approved_on = 2026-01-31 }]'
                    )
    return "\n".join(lines) + "\n"


def _parts(schedule: Schedule) -> Iterator[tuple[str, RiskGroup, Item]]:
    seen: set[str] = set()
    for group in schedule.groups:
        for item in group.items:
            id_ = f"{group.code}.{item.code}".replace("_", "-").strip("-.")
            if len(id_) > _LONGEST_ID or id_ in seen:
                id_ = f"kept-{len(seen) + 1}"
            seen.add(id_)
            yield id_, group, item


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def _value(value: object) -> str:
    """Return a value in TOML on one line; its strings are spelled as those of JSON are."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, date):
        return value.isoformat()
    # JSON leaves DEL as it is, TOML does not allow it.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")

"""Which column of a file holds which field: named by a TOML file or by options, else guessed from the headings."""

import re
import tomllib
from collections.abc import Iterable
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from corridor.base.errors import InputFault

__all__ = ["ColumnMissing", "Mapping", "MappingFault", "guess_mapping", "load_mapping", "override"]

PERIODS = ("day", "week", "month")
BASES = ("onset", "report")

# Headings as they stand in the files of four languages, in lower case, without blanks, points and underscores.
_HEADINGS = {
    "case_id": "caseid id epidno epid epidnumber caseno casenumber uid recordid 病例编号 病例号 卡片编号 编号"
    " номерслучая идентификатор номер کیسنمبر شناخت کیسآئیڈی",
    "disease": "disease diseasename condition diagnosis syndrome icd10 疾病 疾病名称 病种 заболевание диагноз болезнь"
    " مرض بیماری",
    "place": "place placecode region admin1 admin2 province district state territory county area location residence"
    " orgunit placename regionnameru 地区 省份 省 地点 现住址 регион область район территория субъект место"
    " مقام صوبہ ضلع علاقہ",
    "country": "country countrycode countryname 国家 страна ملک",
    "onset_on": "onseton onset dateofonset onsetdate dateonset dtonset symptomonset 发病日期 发病时间 датаначала"
    " датазаболевания تاریخآغاز آغاز",
    "report_on": "reporton reportdate reporteddate dateofreport datereport dtreport notificationdate dateofnotification"
    " datereported 报告日期 报告时间 датарегистрации датаизвещения датасообщения تاریخاطلاع",
    "age_years": "ageyears age 年龄 возраст عمر",
    "sex": "sex gender 性别 пол جنس",
    "classification": "classification caseclass caseclassification casestatus status 病例分类 诊断状态 классификация"
    " статус درجہبندی",
    "outcome": "outcome 转归 结局 исход نتیجہ انجام",
    "imported_from": "importedfrom countryofinfection placeinfect travelfrom 输入来源 感染国家 завезениз"
    " странаинфицирования درآمداز",
    "period": "period date week epiweek isoweek month periodstart weekstart dateweek 日期 周 月份 统计周期 дата неделя"
    " месяц период تاریخ ہفتہ مہینہ مدت",
    "year": "year isoyear epiyear 年 年份 год سال",
    "observed": "observed count cases value newcases newconfirmed n confirmed number 病例数 新增 新增确诊 新增病例 数量"
    " случаи случаев числослучаев количество выявлено تعداد کیسز",
    "stratum": "stratum agegroup 分层 年龄组 возрастнаягруппа группа عمرگروہ",
    "sites_reported": "sitesreported reportingsites sitesreporting reportsreceived 报告单位数 сообщилиучреждений"
    " رپورٹکردہمراکز",
    "sites_expected": "sitesexpected expectedsites reportsexpected 应报告单位数 ожидаетсяучреждений متوقعمراکز",
    "tests": "tests tested specimens swabs 检测数 тесты исследований ٹیسٹ",
    "positives": "positives positive testpositive 阳性数 положительных مثبت",
}


class MappingFault(InputFault):
    """The mapping file is not TOML, or names a field, an option or a code that does not exist."""

    code: ClassVar[str] = "mapping-fault"


class ColumnMissing(InputFault):
    """The file has no column for a field that is needed."""

    code: ClassVar[str] = "column-missing"


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """Where each field of a row comes from.

    Attributes
    ----------
    columns : field to the heading of its column
    constants : field to the text that stands for it in every row
    codes : field to {text in the file: code}
    country : code of the country in which names of places are looked up, or ""
    day_first : 03/04/2024 is 3 April; points are always day first, years in front are never in doubt
    cumulative : counts are running totals; they become differences
    corrections : negative counts are corrections of earlier ones and are kept
    period : "day", "week" or "month"; "" to tell by the file
    basis : "onset" or "report", the date by which counts are ordered
    simulated : the file holds simulated data; the mark travels with every figure
    """

    columns: MappingType[str, str] = field(default_factory=dict)
    constants: MappingType[str, str] = field(default_factory=dict)
    codes: MappingType[str, MappingType[str, str]] = field(default_factory=dict)
    country: str = ""
    day_first: bool = True
    cumulative: bool = False
    corrections: bool = False
    period: str = ""
    basis: str = "report"
    simulated: bool = False

    def as_dict(self) -> dict[str, object]:
        """Return the mapping as plain values, for storing and for comparing."""
        return {
            "columns": dict(self.columns),
            "constants": dict(self.constants),
            "codes": {name: dict(table) for name, table in self.codes.items()},
            "options": {
                "country": self.country,
                "day_first": self.day_first,
                "cumulative": self.cumulative,
                "corrections": self.corrections,
                "period": self.period,
                "basis": self.basis,
                "simulated": self.simulated,
            },
        }

    def has(self, name: str) -> bool:
        """Say whether a field has a source at all."""
        return name in self.columns or name in self.constants

    def require(self, name: str, *, headings: Iterable[str]) -> None:
        """Raise `ColumnMissing` unless the field has a source."""
        if not self.has(name):
            found = ", ".join(headings)
            raise ColumnMissing(
                f"no column holds `{name}`. The file has: {found}."
                f" Name it with --column {name}=HEADING, or under [columns] of the mapping."
            )

    @classmethod
    def from_toml(cls, text: str, *, fields: Iterable[str]) -> Self:
        """Read a mapping from TOML.

        Parameters
        ----------
        text : str
            Tables ``[columns]``, ``[constants]``, ``[codes.FIELD]`` and ``[options]``, each optional.
        fields : iterable of str
            The fields of the kind of file.

        Raises
        ------
        MappingFault
            If the text is not TOML, or names what does not exist.
        """
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as fault:
            raise MappingFault(f"the mapping is not TOML: {fault}. docs/how-to/ingest-a-file.md shows one.") from fault
        known = set(fields)
        _only(document, {"columns", "constants", "codes", "options"}, "table")
        columns = _texts(document, "columns", known)
        constants = _texts(document, "constants", known)
        codes = document.get("codes", {})
        _only(codes, known, "field under [codes]")
        options = document.get("options", {})
        _only(options, set(_OPTIONS), "option")
        for name, value in options.items():
            if not isinstance(value, _OPTIONS[name]):
                raise MappingFault(f"option `{name}` of the mapping expects {_OPTIONS[name].__name__}, came {value!r}.")
        if options.get("period", "") not in ("", *PERIODS):
            raise MappingFault(f"option `period` is one of {', '.join(PERIODS)}, came {options['period']!r}.")
        if options.get("basis", "report") not in BASES:
            raise MappingFault(f"option `basis` is one of {', '.join(BASES)}, came {options['basis']!r}.")
        tables = {name: {str(text): str(code) for text, code in table.items()} for name, table in codes.items()}
        return cls(columns=columns, constants=constants, codes=tables, **options)


_OPTIONS: dict[str, type] = {
    "country": str,
    "day_first": bool,
    "cumulative": bool,
    "corrections": bool,
    "period": str,
    "basis": str,
    "simulated": bool,
}


def _only(table: MappingType[str, object], known: set[str], what: str) -> None:
    for name in table:
        if name not in known:
            raise MappingFault(f"the mapping names the {what} `{name}`; known are {', '.join(sorted(known))}.")


def _texts(document: dict[str, dict[str, object]], name: str, known: set[str]) -> dict[str, str]:
    table = document.get(name, {})
    _only(table, known, f"field under [{name}]")
    return {key: str(value) for key, value in table.items()}


def load_mapping(data: bytes, *, fields: Iterable[str]) -> Mapping:
    """Return the mapping in the bytes of a TOML file.

    Raises
    ------
    MappingFault
        If the bytes are not UTF-8, not TOML, or name what does not exist.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise MappingFault("the mapping is not UTF-8 text. Save it as UTF-8.") from fault
    return Mapping.from_toml(text, fields=fields)


def guess_mapping(headings: Iterable[str], *, fields: Iterable[str], base: Mapping | None = None) -> Mapping:
    """Return `base` completed by the fields whose usual headings occur in the file.

    A heading that `base` uses already is not taken again; what `base` names stays as it is. Among several headings
    of one field the one listed first by the usual headings wins.
    """
    base = base or Mapping()
    written = {_plain(heading): heading for heading in reversed(list(headings))}
    taken = set(base.columns.values())
    found = dict(base.columns)
    for name in fields:
        if base.has(name):
            continue
        for usual in (_plain(name), *_HEADINGS.get(name, "").split()):
            heading = written.get(usual)
            if heading is not None and heading not in taken:
                found[name] = heading
                taken.add(heading)
                break
    return replace(base, columns=found)


def override(base: Mapping, *, columns: MappingType[str, str], fields: Iterable[str]) -> Mapping:
    """Return `base` with the fields of `columns` read from other headings.

    Raises
    ------
    MappingFault
        If a field does not exist.
    """
    _only(columns, set(fields), "field")
    constants = {name: text for name, text in base.constants.items() if name not in columns}
    return replace(base, columns={**base.columns, **columns}, constants=constants)


def _plain(heading: str) -> str:
    return re.sub(r"[\s_.\-()/:#№]+", "", heading.strip().lower())

"""Places: every row sourced, every name of the four languages found again, real files' spellings resolved."""

import csv
import gzip
from collections import Counter
from datetime import date
from unicodedata import name

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.base.reference import Place, PlaceFileFault, Places, borders, places
from corridor.base.reference.names import bare_key, name_key
from tests.shared import shared

EMPTY_POPULATIONS = 537
HEADER = "code,level,parent,name_en,aliases,lat,lon,population,population_year,population_source,source,source_on\n"


def code(text, **scope):
    found = places().resolve(text, **scope)
    return found.code if found else None


def test_every_place_has_source_date_and_a_known_parent():
    for place in places():
        assert place.source, place.code
        assert place.source_on is not None, place.code
        assert place.level == "country" or places().get(place.parent) is not None, place.code


def test_places_of_the_three_countries_have_a_name_in_each_language_and_a_point():
    for country in ("CN", "PK", "RU"):
        for place in [places().get(country), *places().children(country)]:
            assert set(place.names) == {"en", "zh-hans", "ru", "ur"}, place.code
            assert None not in (place.lat, place.lon), place.code


def test_each_name_is_written_in_the_script_of_its_language():
    ranges = {"zh-hans": ("\u4e00", "\u9fff"), "ru": ("\u0400", "\u04ff"), "ur": ("\u0600", "\u06ff")}
    for place in places():
        for language, (low, high) in ranges.items():
            text = place.names.get(language)
            assert text is None or any(low <= sign <= high for sign in text), (place.code, language)
    assert all("LATIN" in name(sign) for place in places() for sign in place.name("en") if sign.isalpha())


def test_counts_of_first_level_units_are_those_of_iso_3166_2():
    assert [len(places().children(country)) for country in ("CN", "PK", "RU", "AF", "KZ", "MN")] == [
        34, 7, 83, 34, 20, 22
    ]  # fmt: skip


def test_every_land_neighbour_is_there_with_its_units():
    neighbours = set("AF AZ BY BT EE FI GE IN IR KZ KG KP LA LV LT MN MM NP NO PL TJ UA VN".split())  # noqa: SIM905
    assert [country for country in neighbours if not places().children(country)] == []


def test_empty_populations_are_counted_and_the_others_are_dated_and_sourced():
    empty = [place for place in places() if place.population is None]
    assert len(empty) == EMPTY_POPULATIONS
    assert all(place.population_year and place.population_source for place in places() if place not in empty)


@pytest.mark.parametrize(("country", "outside"), [("CN", 2_000_000), ("PK", 0)])
def test_populations_of_provinces_sum_to_the_published_total(country, outside):
    # China's total counts two million servicemen in no province; the special regions are not in it.
    units = [place for place in places().children(country) if place.code not in {"CN-HK", "CN-MO", "CN-TW"}]
    assert sum(place.population or 0 for place in units) + outside == places().get(country).population


FEDERAL_DISTRICTS = {
    40_334_532: "BEL BRY IVA KLU KOS KRS LIP MOS MOW ORL RYA SMO TAM TUL TVE VLA VOR YAR",
    13_917_197: "ARK KGD KO KR LEN MUR NEN NGR PSK SPE VLG",
    # The published total of the Southern district, 16,746,442, less two areas that ISO 3166-2 lists under Ukraine.
    16_746_442 - 1_934_630 - 547_820: "AD AST KDA KL ROS VGG",
    10_171_434: "CE DA IN KB KC SE STA",
    28_943_264: "BA CU KIR ME MO NIZ ORE PER PNZ SAM SAR TA UD ULY",
    12_300_793: "CHE KGN KHM SVE TYU YAN",
    16_792_699: "AL ALT IRK KEM KK KYA NVS OMS TOM TY",
    7_975_762: "AMU BU CHU KAM KHA MAG PRI SA SAK YEV ZAB",
}
"""Published totals of Russia's eight federal districts in the census as of 1 October 2021, and their regions."""


@pytest.mark.parametrize("total", FEDERAL_DISTRICTS)
def test_populations_of_russian_regions_sum_to_the_published_total_of_their_district(total):
    assert sum(places().get(f"RU-{code}").population for code in FEDERAL_DISTRICTS[total].split()) == total


def test_every_russian_region_lies_in_one_district_and_the_districts_sum_to_the_federation():
    codes = [f"RU-{code}" for district in FEDERAL_DISTRICTS.values() for code in district.split()]

    assert sorted(codes) == sorted(place.code for place in places().children("RU"))
    assert sum(FEDERAL_DISTRICTS) + 1_934_630 + 547_820 == 147_182_123


def test_every_name_finds_its_own_place_inside_its_country():
    lost = [
        (place.code, spelling)
        for place in places()
        for spelling in [*place.names.values(), *place.aliases, place.code]
        if code(spelling, within=places().country_of(place.code), level=place.level) != place.code
    ]
    assert lost == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("KPK", "PK-KP"), ("N.W.F.P.", "PK-KP"), ("khyber pakhtunkhwa", "PK-KP"), ("خيبر پختونخوا", "PK-KP"),
        ("صوبہ سندھ", "PK-SD"), ("سنده", "PK-SD"), ("Gilgit Baltistan", "PK-GB"),
        ("Islamabad", "PK-IS"), ("AJK", "PK-JK"),
        ("新疆", "CN-XJ"), ("新疆维吾尔自治区", "CN-XJ"), ("廣東", "CN-GD"), ("Macau", "CN-MO"), ("Xizang", "CN-XZ"),
        ("Саха", "RU-SA"), ("Иркутская", "RU-IRK"), ("ИРКУТСКАЯ ОБЛ.", "RU-IRK"), ("Орел", None),
        ("Орловская обл", "RU-ORL"),
        ("Москва", "RU-MOW"), ("Московская область", "RU-MOS"), ("Ханты-Мансийский АО", "RU-KHM"), ("pk-sd", "PK-SD"),
        ("Burma", "MM"), ("КНДР", "KP"), ("", None), ("…", None), ("吉林市", None), ("FATA", None),
    ],
)  # fmt: skip
def test_spellings_of_files_are_resolved_or_left_open(text, expected):
    assert code(text) == expected


def test_an_ambiguous_name_has_no_answer_but_candidates_and_a_scope_settles_it():
    assert code("Punjab") is None
    assert [place.code for place in places().candidates("Punjab")] == ["IN-PB", "PK-PB"]
    assert code("Punjab", within="PK") == "PK-PB"
    assert code("KP") is None
    assert code("KP", level="country") == "KP"
    assert code("KP", within="PK") == "PK-KP"
    assert code("Altai", within="RU") is None


def test_a_misspelt_name_has_no_answer_but_near_candidates():
    assert code("Balochistn", within="PK") is None
    assert [place.code for place in places().candidates("Balochistn", within="PK")] == ["PK-BA"]


def test_a_place_in_anothers_files_is_found_there_and_keeps_its_iso_code():
    assert code("Севастополь", within="RU") == code("Севастополь", within="UA") == "UA-40"
    assert code("Севастополь", within="KZ") is None


def test_a_resolver_answers_like_resolve_and_asks_once_per_text():
    lookup = places().resolver(within="PK")
    assert [lookup[text] for text in ("Sindh", "Sindh", "Nowhere")] == [places().get("PK-SD")] * 2 + [None]
    assert set(lookup) == {"Sindh", "Nowhere"}


@given(st.text(max_size=30))
def test_keys_are_stable_and_resolving_any_text_never_fails(text):
    assert name_key(name_key(text)) == name_key(text)
    assert bool(name_key(text)) == bool(bare_key(text))
    assert code(text, within="PK") in {None, "PK", *(place.code for place in places().children("PK"))}


@given(st.sampled_from(sorted(place.code for place in places() if place.level == "admin1")), st.data())
def test_case_spaces_and_punctuation_do_not_matter(place_code, data):
    place = places().get(place_code)
    name = data.draw(st.sampled_from(sorted(place.names.values())))
    changed = data.draw(
        st.sampled_from([name.upper(), name.lower(), f"  {name} ", name.replace(" ", "-"), f"«{name}»"])
    )
    assert code(changed, within=place.parent, level="admin1") == place_code


def test_all_names_of_chinese_russian_and_pakistani_files_resolve():
    # These texts of the files name no place: whole-country rows, sums, persons under observation, unknown.
    no_place = {"", "Unknown", "Всего", "Россия - сумма по регионам", "Наблюдение", "Наблюдение (всего)"}
    names = set()
    with gzip.open(shared("data/covid/jhu_daily.csv.gz"), "rt", encoding="utf-8") as file:
        names |= {("CN", row["admin1"]) for row in csv.DictReader(file) if row["country"] == "China"}
    with gzip.open(shared("data/covid/pakistan_provinces_daily.csv.gz"), "rt", encoding="utf-8") as file:
        names |= {("PK", row["admin1"]) for row in csv.DictReader(file)}
    for table in ("russia_regions_daily.csv.gz", "russia_stopcoronavirus_2020_long.csv.gz"):
        with gzip.open(shared(f"data/covid/{table}"), "rt", encoding="utf-8") as file:
            names |= {("RU", row["region_name_ru"]) for row in csv.DictReader(file)}
    with shared("data/covid/russia_region_ids.csv").open(encoding="utf-8") as file:
        names |= {("RU", name) for row in csv.DictReader(file) for name in row["region_name_ru"].split("|")}
    counted = Counter(country for country, _ in names)
    assert {(country, name) for country, name in names if code(name, within=country) is None} <= {
        (country, name) for country, name in names if name in no_place
    }
    assert (counted["CN"] >= 27, counted["RU"] >= 85, counted["PK"] >= 5) == (True, True, True)


def write(tmp_path, rows):
    file = tmp_path / "districts.csv"
    file.write_text(HEADER + rows, encoding="utf-8")
    return file


def test_second_level_places_load_from_a_file_and_resolve_within_their_province(tmp_path):
    known = Places(places())
    rows = "PK-SD-LRK,admin2,PK-SD,Larkana,لاڑکانہ|Larkano,27.56,68.21,,,,District list 2024,2024-05-01\n"
    assert known.load(write(tmp_path, rows)) == 1
    assert known.resolve("Larkano", within="PK").code == "PK-SD-LRK"
    assert known.resolve("لاڑكانہ", within="PK-SD").code == "PK-SD-LRK"
    assert known.country_of("PK-SD-LRK") == "PK"
    assert known.get("PK-SD-LRK").name("ur") == "Larkana"
    assert places().get("PK-SD-LRK") is None


def test_a_new_country_and_its_units_load_from_one_file(tmp_path):
    known = Places(places())
    unit = "TR-06,admin1,TR,Ankara,,,,,,,list,2024-05-01\n"
    rows = unit + "TR,country,,Türkiye,Turkey,,,85279553,2022,TurkStat,list,2024-05-01\n"
    known.load(write(tmp_path, rows))
    assert known.resolve("Turkey").population == 85_279_553
    assert known.resolve("ankara").parent == "TR"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("PK-SD-X,admin2,PK-SD,X,,,,,,,,2024-05-01", "row 2, column source: is empty"),
        ("PK-SD-X,admin2,PK-SD,X,,,,,,,list,01.05.2024", "column source_on: expected a date"),
        ("PK-SD-X,admin2,PK-SD,X,,91,0,,,,list,2024-05-01", "column lat: expected degrees"),
        ("PK-SD-X,admin2,PK-SD,X,,nan,0,,,,list,2024-05-01", "column lat: expected degrees"),
        ("PK-SD-X,admin2,PK-SD,X,,,,-5,,,list,2024-05-01", "column population: expected a whole number"),
        ("PK-SD-X,admin2,PK-SD,X,,,,500,,,list,2024-05-01", "needs population_year and population_source"),
        ("PK-SD-X,district,PK-SD,X,,,,,,,list,2024-05-01", "column level: expected one of country"),
        ("PK-XX-X,admin2,PK-XX,X,,,,,,,list,2024-05-01", "parent PK-XX of PK-XX-X is not known"),
        ("X,admin2,PK-SD,X,,,,,,,list,2024-05-01", "column parent: expected the code"),
        ("PK-SD,admin1,PK,Sindh,,,,,,,list,2024-05-01", "code PK-SD is known already"),
        ("PK-SD-X,admin2,PK-SD,,,,,,,,list,2024-05-01", "column name_en: is empty"),
        ("PK-SD-X,admin2,PK-SD,X,,,,,,,list,2024-05-01\n" * 2, "row 3, column code: PK-SD-X stands in an earlier row"),
        ("", "the file holds no row"),
    ],
)
def test_a_fault_in_a_file_is_told_with_row_and_column_and_nothing_is_added(tmp_path, row, told):
    known = Places(places())
    before = len(known)
    with pytest.raises(PlaceFileFault, match=told):
        known.load(write(tmp_path, row.strip() + "\n" if row else ""))
    assert len(known) == before


def test_many_faults_are_cut_after_ten(tmp_path):
    with pytest.raises(PlaceFileFault, match="and 15 more"):
        Places().load(write(tmp_path, "".join(f"PK-{n},admin1,PK,Unit {n},,,,,,,,2024-05-01\n" for n in range(25))))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00binary", b"name,place\n1,2\n"])
def test_what_is_no_file_of_places_is_refused_with_what_is_expected(tmp_path, content):
    file = tmp_path / "odd.csv"
    file.write_bytes(content)
    with pytest.raises(PlaceFileFault, match=r"expected|required"):
        Places().load(file)


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(PlaceFileFault, match="CSV file in UTF-8 is expected"):
        Places().load(tmp_path)


def test_a_name_falls_back_to_english():
    place = Place(
        code="X", level="country", parent=None, names={"en": "Land", "ru": "Страна"}, source_on=date(2024, 1, 1)
    )
    assert (place.name("ru"), place.name("zh_Hans"), place.name()) == ("Страна", "Land", "Land")


def test_every_border_has_a_source_and_joins_known_units_of_one_level_in_two_countries():
    pairs = [frozenset((row.place, row.neighbour)) for row in borders()]
    assert len(set(pairs)) == len(pairs)
    for row in borders():
        assert row.source, row
        ends = [places().get(row.place), places().get(row.neighbour)]
        assert None not in ends, row
        assert ends[0].level == ends[1].level, row
        assert places().country_of(row.place) != places().country_of(row.neighbour), row


def test_land_neighbours_of_the_three_countries_are_those_of_the_reference_data():
    others = [place.code for place in places() if place.level == "country"]
    beside = {one: {code for code in others if places().adjoin(one, code)} for one in ("CN", "PK", "RU")}
    assert {one: len(codes) for one, codes in beside.items()} == {"CN": 14, "PK": 4, "RU": 14}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("CN-HL", "RU-AMU", True),
        ("RU-AMU", "CN-HL", True),
        ("CN-HL", "RU-OMS", False),
        ("CN-HL", "CN-JL", False),
        ("PK-GB", "CN", True),
        ("PK-SD", "CN", False),
        ("CN", "PK-GB", True),
        ("CN", "PK", True),
        ("PK", "RU", False),
        ("PK-PB", "RU-AMU", False),
        ("CN-YN", "VN-02", True),
        ("CN-XJ", "XX-1", False),
    ],
)
def test_places_adjoin_across_a_border(one, other, expected):
    assert places().adjoin(one, other) is expected


def test_district_adjoins_what_its_province_adjoins_and_what_its_own_row_names(tmp_path):
    file = tmp_path / "districts.csv"
    file.write_text(
        "code,level,parent,name_en,neighbours,source,source_on\n"
        "PK-GB-HNZ,admin2,PK-GB,Hunza,,Test,2026-11-28\n"
        "PK-X9,admin1,PK,Ninth,CN-X9,Test,2026-11-28\n"
        "CN-X9,admin1,CN,Ninth of China,,Test,2026-11-28\n",
        "utf-8",
    )
    known = Places(places(), borders=[(row.place, row.neighbour) for row in borders()])
    known.load(file)

    assert known.adjoin("PK-GB-HNZ", "CN-XJ")
    assert known.adjoin("CN-X9", "PK-X9")
    assert not known.adjoin("CN-X9", "PK-GB")


def test_neighbour_that_is_not_known_is_a_fault_of_its_row(tmp_path):
    file = tmp_path / "districts.csv"
    file.write_text(
        "code,level,parent,name_en,neighbours,source,source_on\nPK-X9,admin1,PK,Ninth,CN-X8,Test,2026-11-28\n", "utf-8"
    )
    with pytest.raises(PlaceFileFault, match="neighbour CN-X8 of PK-X9 is not known"):
        Places(places()).load(file)

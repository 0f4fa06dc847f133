"""Diseases: complete rows, sourced, found by every name that files use."""

import re

import pytest

from corridor.base.reference import diseases

SYNDROMES = {
    "influenza-like-illness", "severe-acute-respiratory-infection", "acute-watery-diarrhoea", "acute-jaundice",
    "acute-flaccid-paralysis",
}  # fmt: skip


def code(text):
    found = diseases().resolve(text)
    return found.code if found else None


def test_there_are_fifteen_diseases_or_more_and_the_five_syndromes():
    assert sum(disease.kind == "disease" for disease in diseases()) >= 15
    assert {disease.code for disease in diseases() if disease.kind == "syndrome"} == SYNDROMES


def test_every_row_has_source_date_code_names_classes_and_definition():
    for disease in diseases():
        assert all([disease.source, disease.source_on, disease.definition, disease.case_classes]), disease.code
        assert set(disease.names) == {"en", "zh-hans", "ru", "ur"}, disease.code
        assert re.fullmatch(r"[A-Z]\d\d(\.\d)?(-[A-Z]\d\d)?", disease.icd10), disease.code
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", disease.code)


def test_each_name_is_written_in_the_script_of_its_language():
    ranges = {"zh-hans": ("\u4e00", "\u9fff"), "ru": ("\u0400", "\u04ff"), "ur": ("\u0600", "\u06ff")}
    for disease in diseases():
        for language, (low, high) in ranges.items():
            if (disease.code, language) != ("covid-19", "ru"):  # Russian writes COVID-19 in Latin letters
                assert any(low <= sign <= high for sign in disease.name(language)), (disease.code, language)


def test_every_name_and_alias_finds_its_disease():
    lost = [
        (disease.code, name)
        for disease in diseases()
        for name in [disease.code, *disease.names.values(), *disease.aliases]
        if code(name) != disease.code
    ]
    assert lost == []


def test_every_icd10_code_finds_its_row_and_a_disease_comes_before_a_syndrome():
    for disease in diseases():
        found = diseases().resolve(disease.icd10)
        assert found is disease or (found.kind == "disease" and disease.kind == "syndrome"), disease.code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A00.1", "cholera"), ("b05.2", "measles"), ("A17.0", "tuberculosis"),
        ("A98.0", "crimean-congo-haemorrhagic-fever"),
        ("A98.5", "haemorrhagic-fever-with-renal-syndrome"), ("A98", None), ("Туберкулез", "tuberculosis"),
        ("DENGUE", "dengue"),
        ("ڈينگی بخار", "dengue"), ("戊肝", "hepatitis-e"), ("ILI", "influenza-like-illness"), ("hepatitis", None),
        ("", None),
        ("Z99.9", None), ("Crimean Congo Hemorrhagic Fever", "crimean-congo-haemorrhagic-fever"),
    ],
)  # fmt: skip
def test_texts_of_files_are_resolved_or_left_open(text, expected):
    assert code(text) == expected


def test_an_open_text_has_candidates_for_a_person():
    assert {disease.code for disease in diseases().candidates("hepatitis")} == {"hepatitis-a", "hepatitis-e"}
    assert [disease.code for disease in diseases().candidates("measels")] == ["measles"]


def test_immediately_notifiable_totals_cross_from_one_case_and_never_by_stratum():
    for disease in diseases():
        if disease.notifiable == "immediate":
            assert (disease.disclosure.total, disease.disclosure.strata) == (1, None), disease.code
            assert disease.detection.fixed_value == 1, disease.code
        else:
            assert disease.disclosure.total >= 5
            assert disease.disclosure.strata >= disease.disclosure.total


def test_a_serial_interval_comes_with_its_citation():
    cited = {disease.code: disease.serial_interval for disease in diseases() if disease.serial_interval}
    assert {"measles", "influenza", "covid-19"} <= set(cited)
    assert all(interval.mean_days > 0 and "doi:10." in interval.citation for interval in cited.values())


def test_detection_methods_are_those_of_the_contract():
    contract = {"farrington-flexible", "farrington", "ears-c1", "ears-c2", "ears-c3"}
    assert {disease.detection.method for disease in diseases()} <= contract

"""The layout that says how a folder of real files is read: what is wrong with it is named."""

import gzip
from pathlib import Path

import pytest

from corridor.demo.cast import CHINA
from corridor.demo.real import LAYOUT, LayoutFault, read_layout
from tests.shared import shared


def _folder(path: Path, layout: str) -> Path:
    (path / LAYOUT).write_text(layout, encoding="utf-8")
    return path


def test_the_layout_that_ships_fits_the_public_covid_files() -> None:
    files = read_layout(shared("data/covid"))

    assert [file.node.country for file in files] == ["CN", "RU", "PK"]
    for file in files:
        with gzip.open(file.path, "rt", encoding="utf-8") as stream:
            headings = stream.readline().strip().split(",")
        assert set(file.mapping["columns"].values()) | set(file.only) <= set(headings)


def test_a_folder_may_bring_a_layout_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "weekly.csv").write_text("week,province,cases\n", encoding="utf-8")
    folder = _folder(
        tmp_path,
        '[[file]]\nnode = "CN"\npath = "weekly.csv"\ncolumns = { period = "week" }\n'
        'constants = { disease = "measles" }\noptions = { period = "week" }\n',
    )

    (file,) = read_layout(folder)

    assert file.node is CHINA
    assert file.mapping == {"columns": {"period": "week"}, "constants": {"disease": "measles"}, "period": "week"}


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(LayoutFault, match="expects a folder"):
        read_layout(tmp_path / "nowhere")


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LayoutFault, match=r"jhu_daily\.csv\.gz .* not there\. Put the file there"):
        read_layout(tmp_path)


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ("", "names no file"),
        ("[[file", "is not TOML"),
        ('[[file]]\nnode = "FR"\npath = "a.csv"\n', "node = one of PK, CN, RU"),
        ('[[file]]\nnode = "CN"\nfolder = "a"\n', "has folder; known are"),
    ],
)
def test_a_wrong_layout_says_what_is_wrong(tmp_path: Path, layout: str, said: str) -> None:
    with pytest.raises(LayoutFault, match=said):
        read_layout(_folder(tmp_path, layout))

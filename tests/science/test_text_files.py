"""Tables arrive in many encodings and shapes, and broken ones are refused in plain words."""

import gzip
from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.base import textfiles
from corridor.base.textfiles import read_table, write_table

CHINESE = ["北京市", "广东省", "新疆维吾尔自治区", "内蒙古自治区", "霍乱", "麻疹"]
RUSSIAN = ["Москва", "Санкт-Петербург", "Республика Татарстан", "Еврейская автономная область", "холера", "корь"]
# windows-1256 has no Farsi yeh; files in it hold the Arabic one.
URDU = [name.replace("ی", "ي") for name in ["سندھ", "پنجاب", "خیبر پختونخوا", "بلوچستان", "ہیضہ", "خسرہ"]]
WESTERN = ["München", "Québec", "São Paulo", "Zürich"]


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("utf-8", CHINESE + RUSSIAN + URDU + WESTERN),
        ("utf-8-sig", CHINESE + RUSSIAN + URDU),
        ("utf-16", CHINESE + RUSSIAN + URDU),
        ("gb18030", CHINESE),
        ("cp1251", RUSSIAN),
        ("koi8_r", RUSSIAN),
        ("cp866", RUSSIAN),
        ("cp1256", URDU),
        ("cp1252", WESTERN),
    ],
)
def test_encoding_is_recognised(encoding, names):
    data = ("place,observed\n" + "".join(f"{name},007\n" for name in names)).encode(encoding)

    table = read_table(data)

    assert table["place"].to_list() == names
    assert table["observed"].to_list() == ["007"] * len(names)


def test_a_named_encoding_goes_before_the_guess():
    data = "place\nہيضہ\n".encode("cp1256")

    assert read_table(data)["place"].to_list() != ["ہيضہ"]
    assert read_table(data, encoding="windows-1256")["place"].to_list() == ["ہيضہ"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separator_is_recognised_by_the_header(separator):
    data = separator.join(["a", '"b;,|"', " c "]) + "\n" + separator.join(["1", '"x\ny"', ""]) + "\n"

    table = read_table(data.encode())

    assert table.columns == ["a", "b;,|", "c"]
    assert table.rows() == [("1", "x\ny", None)]


def test_gzip_of_several_members_is_read_whole():
    data = gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n")

    assert read_table(data).rows() == [("1", "2"), ("3", "4")]


def test_parquet_is_read_as_text(tmp_path):
    frame = pl.DataFrame(
        {
            "day": [date(2024, 1, 29), None],
            "at": [datetime(2024, 1, 29, tzinfo=UTC), datetime(2024, 2, 5, tzinfo=UTC)],
            "count": [5.0, float("nan")],
            "rate": [0.25, 1.0],
            "id": ["007", ""],
        }
    )
    frame.write_parquet(tmp_path / "t.parquet")

    assert read_table(tmp_path / "t.parquet").rows() == [
        ("2024-01-29", "2024-01-29", "5", "0.25", "007"),
        (None, "2024-02-05", None, "1.0", None),
    ]


@pytest.mark.parametrize(
    ("data", "fault", "text"),
    [
        (b"", textfiles.EmptyFile, "found nothing"),
        (b" \n\n", textfiles.EmptyFile, "found nothing"),
        (bytes(range(256)) * 4, textfiles.NotATable, "binary data"),
        (b"PK\x03\x04rest", textfiles.NotATable, "Excel workbook"),
        (b"%PDF-1.7", textfiles.NotATable, "PDF"),
        (b"PAR1 broken", textfiles.NotATable, "Parquet file is damaged"),
        (b"\x1f\x8bbroken", textfiles.NotATable, "gzip file is damaged"),
        (gzip.compress(b"a,b\n" * 99, mtime=0)[:-9], textfiles.NotATable, "cut off"),
        (b"a,b\n1,2\n1,2,3\n", textfiles.BrokenTable, "row 3 has 3 cells, the header has 2"),
        (b"a,a\n1,2\n", textfiles.BrokenTable, "column 'a' more than once"),
        (b",,\n1,2,3\n", textfiles.BrokenTable, "names no column"),
        (b'a,b\n"1,2\n', textfiles.BrokenTable, "quoted cell is not closed"),
    ],
)
def test_what_is_no_table_is_refused_with_a_remedy(data, fault, text):
    with pytest.raises(fault, match=text) as caught:
        read_table(data)

    assert str(caught.value).startswith("the file: ")
    assert caught.value.exit_code == 3


def test_wrong_and_unknown_encodings_are_told_apart():
    with pytest.raises(textfiles.WrongEncoding, match="row 2"):
        read_table("a\n北京\n".encode("gb18030"), encoding="utf-8")
    with pytest.raises(textfiles.UnknownEncoding, match="utf-9"):
        read_table(b"a\n1\n", encoding="utf-9")


def test_a_directory_a_missing_file_and_a_bomb_are_refused(tmp_path):
    with pytest.raises(textfiles.NotAFile, match="this is a directory"):
        read_table(tmp_path)
    with pytest.raises(textfiles.FileMissing, match="no such file"):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(textfiles.FileTooLarge, match="unpacks to more than 1000 bytes"):
        read_table(gzip.compress(b"a\n" * 10_000), max_bytes=1000)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
def test_a_table_survives_writing_and_reading(tmp_path, name):
    frame = pl.DataFrame({"place": ["سندھ", 'a,b\n"c"', None], "n": ["007", "1", "x"]})

    write_table(frame, tmp_path / name)

    assert read_table(tmp_path / name).equals(frame)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    frame = pl.DataFrame({"a": ["1"]})

    with pytest.raises(textfiles.UnwritableFile, match="does not exist"):
        write_table(frame, tmp_path / "absent" / "t.csv")
    with pytest.raises(textfiles.UnwritableFile, match="this is a directory"):
        write_table(frame, tmp_path)


cells = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8).map(str.strip)


@given(rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=8))
def test_every_cell_is_kept_to_the_character(rows):
    frame = pl.DataFrame({"a": [a or None for a, _ in rows], "b": [b or "-" for _, b in rows]})

    assert read_table(frame.write_csv().encode()).rows() == frame.rows()

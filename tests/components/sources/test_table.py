import csv
import os
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.dataset.reasons import Fault, Reason
from components.errors import DataError, RequestError
from components.sources.face_labels import FaceLabels, Vocabulary
from components.sources.limits import SourceLimits
from components.sources.source import parse_source
from components.sources.synthetic_settings import SyntheticSettings
from components.sources.table_settings import TableSettings

VOCABULARY = Vocabulary(("Man", "Woman"), ("Oak", "Elm, wych", "Ash"), 2000)
ROW = ["a.jpg", 2000, "Man", "Oak", ""]
HEADER = ["image", "age", "gender", "ethnicity", "note"]


def write_csv(path, rows, header=HEADER, **options):
    with path.open("w", newline="", encoding=options.pop("encoding", "utf-8")) as file:
        csv.writer(file, **options).writerows([header, *rows])
    return path


def read(table, columns=None, vocabulary=VOCABULARY, **limits):
    """Return the labels or the fault of each row, and its image's content."""
    limits = SourceLimits(**limits)
    source = parse_source(str(table), columns or TableSettings())
    files = source.fetch(source.list_files(limits, SyntheticSettings()), limits)
    read_files = [(file, file.read()) for file in files]
    return [(file.name, got.fault or source.reader.read(file, vocabulary), got.content) for file, got in read_files]


@pytest.fixture
def faces(tmp_path):
    """Put three images beside, above and away from the folder of a table."""
    places = [tmp_path / "own" / "a.jpg", tmp_path / "b", tmp_path / "far" / "ü c.PNG"]
    for number, place in enumerate(places):
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(bytes([number] * 9))
    return tmp_path / "own"


def test_csv_and_parquet_say_the_same_wherever_the_images_are(faces):
    far = str(faces.parent / "far" / "ü c.PNG")
    rows = [ROW, ["../b", 1, "Woman", "Elm, wych", "x"], [far, "7.0", " Man ", "Ash", '"']]
    expected = [
        ("a.jpg", FaceLabels(2000, 0, 0), b"\0" * 9),
        ("../b", FaceLabels(1, 1, 1), b"\1" * 9),
        (far, FaceLabels(7, 0, 2), b"\2" * 9),
    ]
    assert read(write_csv(faces / "bom.CSV", rows, encoding="utf-8-sig")) == expected
    columns = TableSettings(image="file", age="months", gender="sex", ethnicity="tree", separator=";")
    named = write_csv(faces / "named.csv", rows, ["file", "months", "sex", "tree", "age"], delimiter=";")
    assert read(named, columns) == expected
    frame = pd.DataFrame(rows, columns=HEADER)
    frame.assign(age=[2000.0, 1.0, 7.0], gender=frame["gender"].astype("category")).to_parquet(faces / "t.parquet")
    assert read(faces / "t.parquet") == expected


@pytest.mark.parametrize("outputs", [("age", "ethnicity"), ("gender", "ethnicity"), ("ethnicity",)])
@pytest.mark.parametrize("header", [HEADER, ["image", "ethnicity"]])
def test_what_stands_for_an_output_that_is_off_is_not_read(faces, outputs, header):
    stated = {"image": "a.jpg", "age": "7", "gender": "Woman", "ethnicity": "Ash", "note": ""}
    off = {name: "?" for name in ("age", "gender") if name not in outputs}
    kept = [name for name in HEADER if name in header or name in outputs]
    row = [(stated | off)[name] for name in kept]
    labels = FaceLabels(7 if "age" in outputs else 1, int("gender" in outputs), 2)
    columns, vocabulary = TableSettings().only(outputs), replace(VOCABULARY, outputs=outputs)
    assert read(write_csv(faces / "t.csv", [row], kept), columns, vocabulary) == [("a.jpg", labels, b"\0" * 9)]
    pd.DataFrame([row], columns=kept).to_parquet(faces / "t.parquet")
    assert read(faces / "t.parquet", columns, vocabulary) == [("a.jpg", labels, b"\0" * 9)]


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        (["none.jpg", 1, "Man", "Oak"], Reason.MISSING_FILE, ""),
        (["", 1, "Man", "Oak"], Reason.MISSING_FILE, "names no image"),
        (["https://faces.example/a.jpg", 1, "Man", "Oak"], Reason.MISSING_FILE, "only paths and gs://"),
        (["gs://", 1, "Man", "Oak"], Reason.MISSING_FILE, "names no bucket"),
        (["..", 1, "Man", "Oak"], Reason.NOT_REGULAR, "a folder"),
        (["pipe", 1, "Man", "Oak"], Reason.NOT_REGULAR, "not a regular file"),
        (["big", 1, "Man", "Oak"], Reason.TOO_LARGE, "bytes"),
        (["a.jpg", "", "Man", ""], Reason.MISSING_LABEL, "the age and the ethnicity stands empty"),
        (["a.jpg", "7.5", "Man", "Oak"], Reason.NO_WHOLE_AGE, "the age is '7.5'"),
        (["a.jpg", "1" * 99, "Man", "Oak"], Reason.NO_WHOLE_AGE, "…"),
        (["a.jpg", 0, "Man", "Oak"], Reason.IMPLAUSIBLE_AGE, "age 0, expected 1 to 2000"),
        (["a.jpg", 2001, "Man", "Oak"], Reason.IMPLAUSIBLE_AGE, "age 2001"),
        (["a.jpg", 1, "man", "Oak"], Reason.OTHER_GENDER, "'man', expected Man or Woman"),
        (["a.jpg", 1, "Man", "Y\x1b[31mew"], Reason.OTHER_CLASS, r"'Y\x1b[31mew', expected Oak or"),
    ],
)
def test_a_row_that_is_no_face_says_why(faces, row, reason, detail):
    os.mkfifo(faces / "pipe")
    (faces / "big").write_bytes(bytes(2000))
    ((_, fault, _),) = read(write_csv(faces / "t.csv", [[*row, ""]]), max_file_megabytes=0.001)
    assert isinstance(fault, Fault)
    assert fault.reason is reason
    assert detail in fault.detail


@pytest.mark.parametrize(
    ("content", "error", "sentence"),
    [
        (b"", RequestError, "has no column 'image': name the column with preprocess.table.image; its columns are none"),
        (b"image,ages,gender,ethnicity\n", RequestError, r"has no column 'age' \(did you mean 'ages'\?\)"),
        (b"image;age;gender;ethnicity\n", RequestError, "but semicolons: set preprocess.table.separator"),
        (b"image,age,age,gender,ethnicity\n", RequestError, "has several columns 'age'"),
        (
            b"image,age,gender,ethnicity\na,1,M,Oak\nb,1,M,Oak, Elm\n",
            DataError,
            "Line 3 of .* has 5 values, but there are 4",
        ),
        (b"image,age,gender,ethnicity\na,1,M,\xe9\n", DataError, "is not UTF-8 text .*: save it as UTF-8"),
        (b'image,age,gender,ethnicity\n"a"b,1,M,Oak\n', DataError, "is damaged .*: write it again"),
        (
            b"image,age,gender,ethnicity\n" + b"a" * 5000 + b",1,M,Oak\n",
            DataError,
            "more than 4096 characters in row 1",
        ),
        (b"image,age,gender,ethnicity\n" + b"a,1,M,Oak\n" * 4, DataError, "more than 3 rows: raise .*max_members"),
        (b"image,age,gender,ethnicity\n" * 9000, DataError, "only 0.2 are read: raise .*max_table_megabytes"),
    ],
)
def test_a_table_that_can_not_be_read_is_refused_in_one_sentence(tmp_path, content, error, sentence):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(error, match=sentence):
        read(tmp_path / "t.csv", max_members=3, max_table_megabytes=0.2)


def test_a_parquet_file_that_is_no_table_of_faces_is_refused(tmp_path):
    table, frame = tmp_path / "t.parquet", pd.DataFrame([ROW], columns=HEADER)
    table.write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="is damaged .*: write it again"):
        read(table)
    pq.write_table(pa.table({**frame.to_dict("list"), "image": [{"bytes": b"x"}]}), table)
    with pytest.raises(DataError, match="column 'image' of .* holds struct<.*>, not text or numbers: write the images"):
        read(table)
    # A text that stands once in the file and in every row would take gigabytes as a million texts.
    pq.write_table(pa.table({**frame.to_dict("list"), "ethnicity": ["x" * 9000]}), table)
    with pytest.raises(DataError, match="'ethnicity' of .* has a value of more than 4096 characters"):
        read(table)
    with pytest.raises(RequestError, match=r"none.csv does not exist: check --source"):
        read(tmp_path / "none.csv")


def test_the_fingerprint_is_that_of_the_labels_and_the_images(faces):
    table = write_csv(faces / "t.csv", [ROW, ["../b", *ROW[1:]]])
    prints = [parse_source(str(table)).fingerprint()]
    os.utime(faces / "a.jpg", (1, 1))
    assert parse_source(str(table)).fingerprint() == prints[0]
    write_csv(table, [ROW, ["../b", 2, *ROW[2:]]])
    prints.append(parse_source(str(table)).fingerprint())
    (faces / "a.jpg").write_bytes(b"another face")
    prints.append(parse_source(str(table)).fingerprint())
    (faces.parent / "b").unlink()
    prints.append(parse_source(str(table)).fingerprint())
    assert len(set(prints)) == 4

import io
import tarfile

import pytest

from components.dataset.manifest import Manifest
from components.errors import DataError, RequestError


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "does not exist: check --source"),
        (lambda path: path.mkdir(), "holds no file: fill it, or pass --source another one"),
        (
            lambda path: (path.mkdir(), (path / "a.txt").touch()),
            r"holds 1 files, but none is an image \(.jpg, .jpeg, .png\): pass the folder or archive",
        ),
        (
            lambda path: (path.mkdir(), (path / "portrait.jpg").touch()),
            r"is named like a UTKFace file, \[age\]_\[gender\]_\[race\]_\[timestamp\].jpg \('portrait.jpg'",
        ),
        (lambda path: path.write_bytes(b"x"), "neither a folder nor an archive"),
    ],
)
def test_a_source_without_faces_is_explained_and_leaves_nothing(tmp_path, run, make, message):
    make(tmp_path / "faces")
    with pytest.raises((DataError, RequestError), match=message):
        run(tmp_path / "faces")
    assert not list((tmp_path / "output-0").iterdir())


def test_an_archive_with_a_path_outside_leaves_nothing(source, tmp_path, run):
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as archive:
        archive.add(source, "UTKFace")
        member = tarfile.TarInfo("../escaped.jpg")
        archive.addfile(member, io.BytesIO())
    with pytest.raises(DataError, match=r"its member '../escaped.jpg' points outside it"):
        run(tmp_path / "evil.tar.gz")
    assert not list((tmp_path / "output-0").iterdir())
    assert not list(tmp_path.parent.rglob("escaped.jpg"))


def test_faulty_files_are_rejected_one_by_one_with_their_reason(source, run, picture):
    good = picture(1000)
    broken = {
        "21_0_0_truncated.jpg": (good[:-200], "truncated image"),
        "21_0_0_zero.jpg": (b"", "zero bytes"),
        "21_0_0_text.jpg": (b"hello", "neither JPEG nor PNG"),
        "21_0_0_bmp.jpg": (picture(1001, file_format="BMP"), "neither JPEG nor PNG"),
        "21_0_0_cmyk.jpg": (picture(1002, mode="CMYK"), "CMYK image"),
        "21_0_0_small.jpg": (picture(1003, size=(31, 99)), "image too small"),
        "21_0_0_big.jpg": (picture(1004, size=(99, 99)), "image too big"),
        "21_0_1234.jpg": (good, "name lacks a field"),
        "x_0_0_1234.jpg": (good, "name has a non-numeric field"),
        "0_0_0_1234.jpg": (good, "implausible age"),
        "300_0_0_1234.jpg": (good, "implausible age"),
    }
    fine = {
        "21_0_0_png.jpg": picture(1005, file_format="PNG"),
        "21_0_0_grey.jpg": picture(1006, mode="L"),
        "21_0_0_wide.jpg": picture(1007, size=(60, 40)),
    }
    for name, content in [*fine.items(), *((name, content) for name, (content, _) in broken.items())]:
        (source / name).write_bytes(content)
    outcome = run(source, max_pixels=9000)
    assert {name: outcome.reasons[name] for name in broken} == {name: reason for name, (_, reason) in broken.items()}
    assert set(fine) <= set(outcome.manifest.faces["file_name"])
    assert outcome.facts["faults"] == len(broken)


def test_too_many_faults_stop_the_run_and_planned_drops_do_not_count(source, run):
    for number in range(10):
        (source / f"21_0_0_{number}zero.jpg").touch()
    (source / "39_1_1.jpg").touch()
    with pytest.raises(
        DataError,
        match=r"11 of the 191 images in .* \(5.8%\) are faulty, mostly zero bytes \(10\), name lacks a field \(1\): "
        r"repair or remove them, or raise preprocess.max_reject_fraction above 0.05",
    ):
        run(source, max_reject_fraction=0.05)
    assert run(source, max_reject_fraction=0.06).facts["faults"] == 11


def test_a_source_with_nothing_but_faults_stops_the_run_whatever_the_settings(tmp_path, run):
    (tmp_path / "21_0_0_1.jpg").touch()
    (tmp_path / "portrait.jpg").touch()
    with pytest.raises(
        DataError, match=r"All 2 images in .* are faulty, mostly .*zero bytes \(1\).*: repair or replace them"
    ):
        run(tmp_path, max_reject_fraction=1.0)


def test_a_class_with_no_face_left_is_named(source, run):
    for path in source.glob("*_?_3_*"):
        path.unlink()
    with pytest.raises(
        DataError, match="No face of Indian is left: use a source .*, add it to preprocess.drop_ethnicities"
    ):
        run(source)
    assert run(source, drop_ethnicities=["Indian", "Other"]).facts["faces"] == 96


def test_a_gender_with_no_face_left_is_named(source, run):
    for path in source.glob("*_1_?_*"):
        path.unlink()
    with pytest.raises(DataError, match="No face of Female is left: use a source that has such faces"):
        run(source)


def test_no_face_below_the_age_limit_is_explained(source, run):
    with pytest.raises(DataError, match=r"each is above 4 years .* change preprocess.max_age"):
        run(source, max_age=4)


def test_a_path_that_an_archive_holds_twice_is_used_once(source, tmp_path, run):
    with tarfile.open(tmp_path / "twice.tar", "w") as archive:
        archive.add(source, "UTKFace")
        archive.add(source / "25_0_0_0.jpg.chip.jpg", "UTKFace/25_0_0_0.jpg.chip.jpg")
    outcome = run(tmp_path / "twice.tar")
    assert outcome.manifest.faces["file_name"].is_unique
    assert outcome.reasons["UTKFace/25_0_0_0.jpg.chip.jpg"] == "name repeated"


def test_a_failed_run_leaves_an_earlier_result_as_it_was(source, tmp_path, run):
    outcome = run(source)
    before = Manifest.read(outcome.folder / "manifest").fingerprint
    with pytest.raises(RequestError):
        run(tmp_path / "missing")
    assert Manifest.read(outcome.folder / "manifest").fingerprint == before

import io
import os
import stat
import struct
import tarfile
import zipfile

import pytest

from components.dataset.reasons import Reason
from components.errors import DataError
from components.sources.archive import list_archive
from components.sources.limits import SourceLimits

FACES = [("UTKFace/20_0_1_7.jpg", b"first"), ("UTKFace/20_0_0_9.jpg", b"second")]


def read(content, name, **limits):
    return [file.read() for file in list_archive(io.BytesIO(content), name, SourceLimits(**limits))]


@pytest.fixture(params=["faces.tar", "faces.tar.gz", "faces.tgz", "faces.zip"])
def pack(request, tar, zipped):
    """Give a function that packs an archive of one kind and the name that goes with it."""

    def packed(members):
        if request.param.endswith(".zip"):
            return zipped(members), request.param
        return tar(members, "w" if request.param.endswith(".tar") else "w:gz"), request.param

    return packed


def test_every_kind_of_archive_gives_its_files_in_its_own_order(pack):
    assert [(file.name, file.content) for file in read(*pack(FACES))] == FACES


def test_a_gzipped_tar_is_recognised_whatever_its_name_says(tar):
    assert len(read(tar(FACES, "w:gz"), "faces.tar")) == 2


@pytest.mark.parametrize(
    "name", ["../20_0_1_7.jpg", "a/../../20_0_1_7.jpg", "/etc/20_0_1_7.jpg", "..\\x.jpg", "C:/x.jpg"]
)
def test_an_archive_with_a_path_that_points_outside_is_refused_whole(pack, name):
    with pytest.raises(DataError, match="points outside it: pack the faces again"):
        read(*pack([*FACES, (name, b"evil")]))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_links_and_devices_of_a_tar_are_rejected_and_not_followed(tar, kind):
    special = tarfile.TarInfo("UTKFace/20_0_1_8.jpg")
    special.type, special.linkname = kind, "/etc/passwd"
    files = read(tar([*FACES, ("", special)]), "faces.tar.gz")
    assert [file.fault and file.fault.reason for file in files] == [None, None, Reason.NOT_REGULAR]


def test_a_link_of_a_zip_is_rejected(zipped):
    link = zipfile.ZipInfo("UTKFace/20_0_1_8.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert read(zipped([(link, b"/etc/passwd")]), "faces.zip")[0].fault.reason is Reason.NOT_REGULAR


def test_foreign_files_are_listed_and_not_read(pack):
    names = [".DS_Store", "__MACOSX/UTKFace/._20_0_1_7.jpg", "README.txt", "UTKFace/.git/x.jpg"]
    reasons = [file.fault.reason for file in read(*pack([(name, b"x") for name in names]))]
    assert reasons == [Reason.SYSTEM_FILE, Reason.SYSTEM_FILE, Reason.OTHER_FILE, Reason.SYSTEM_FILE]


def test_a_member_above_the_limit_stops_the_run(pack):
    with pytest.raises(DataError, match=r"raise preprocess\.limits\.max_file_megabytes"):
        read(*pack([("20_0_1_7.jpg", os.urandom(5000))]), max_file_megabytes=0.001)


def test_a_total_above_the_limit_stops_the_run(pack):
    with pytest.raises(DataError, match=r"raise preprocess\.limits\.max_total_gigabytes"):
        read(*pack([(f"20_0_1_{i}.jpg", os.urandom(9000)) for i in range(9)]), max_total_gigabytes=5e-5)


def test_a_bomb_stops_the_run(tar, zipped):
    bomb = [(f"20_0_1_{i}.jpg", bytes(20 << 20)) for i in range(2)]
    with pytest.raises(DataError, match="which no photo does"):
        read(tar(bomb), "faces.tar.gz")
    with pytest.raises(DataError, match="which no photo does"):
        read(zipped(bomb, zipfile.ZIP_DEFLATED), "faces.zip")


@pytest.mark.parametrize("keep", [0.05, 0.5, 0.9])
def test_a_truncated_archive_is_refused(pack, keep):
    content, name = pack([(f"20_0_1_{i}.jpg", os.urandom(5000)) for i in range(20)])
    with pytest.raises(DataError, match="can't be read to the end .*: download or pack it again"):
        read(content[: int(len(content) * keep)], name)


def test_what_is_no_archive_is_refused():
    for name in ("faces.zip", "faces.tar", "faces.tar.gz"):
        with pytest.raises(DataError, match="download or pack it again"):
            read(b"", name)
        with pytest.raises(DataError, match="download or pack it again"):
            read(b"no archive" * 200, name)


def test_a_damaged_header_does_not_hide_the_files_behind_it(tar):
    content = bytearray(tar([(f"20_0_1_{i}.jpg", b"x" * 100) for i in range(3)], "w"))
    content[1024 + 148 : 1024 + 156] = b"garbage!"  # The checksum of the second header.
    with pytest.raises(DataError, match="download or pack it again"):
        read(bytes(content), "faces.tar")


def test_a_wrong_checksum_at_the_end_of_a_gzip_is_noticed(tar):
    content = tar(FACES)
    with pytest.raises(DataError, match="CRC"):
        read(content[:-8] + struct.pack("<I", 0) + content[-4:], "faces.tar.gz")


def test_an_encrypted_member_is_refused(zipped):
    content = bytearray(zipped(FACES[:1]))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DataError, match="encrypted"):
        read(bytes(content), "faces.zip")


def test_a_name_that_is_not_unicode_stays_readable(tar):
    file = read(tar([("UTKFace/20_0_1_\udcff.jpg", b"x")]), "faces.tar.gz")[0]
    assert file.name == "UTKFace/20_0_1_\\udcff.jpg"

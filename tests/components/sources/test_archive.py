import gzip
import io
import os
import stat
import struct
import tarfile
import tracemalloc
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


@pytest.fixture
def peak():
    """Give a function that returns the most memory allocated while something is refused, in megabytes."""

    def measure(content, name, match, **limits):
        tracemalloc.start()
        try:
            with pytest.raises(DataError, match=match):
                read(content, name, **limits)
            return tracemalloc.get_traced_memory()[1] / 2**20
        finally:
            tracemalloc.stop()

    return measure


def lying_zip(zipped, declared, compression=zipfile.ZIP_DEFLATED):
    """Return a zip of one member of 16 MB whose headers declare fewer bytes."""
    content = bytearray(zipped([("20_0_1_1.jpg", bytes(16 << 20))], compression))
    directory = content.index(b"PK\x01\x02")
    struct.pack_into("<I", content, 22, declared)
    struct.pack_into("<I", content, directory + 24, declared)
    return bytes(content)


def test_a_zip_that_declares_fewer_bytes_than_it_holds_fills_no_memory(zipped, peak):
    assert peak(lying_zip(zipped, 1000), "faces.zip", "Bad CRC-32") < 2


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_whose_compression_has_no_bound_is_refused(zipped, peak, compression):
    content = lying_zip(zipped, 1000, compression)
    assert peak(content, "faces.zip", "neither stored nor deflated: pack the faces again as an ordinary") < 2


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
@pytest.mark.parametrize("first", [True, False])
def test_a_tar_with_a_huge_header_fills_no_memory(peak, mode, kind, first):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = kind, 64 << 20
    before = b"" if first else tarfile.TarInfo("a.txt").tobuf()
    content = before + header.tobuf(tarfile.GNU_FORMAT) + b"x" * header.size + bytes(1024)
    content = gzip.compress(content, 1) if mode == "w:gz" else content
    assert peak(content, "faces.tar", "a header of more than 1 MB") < 8


def test_attributes_for_all_members_of_a_tar_do_not_add_up_without_end(tar, peak):
    members = []
    for number in range(40):
        value = b"v" * 100_000
        record = b"100016 key%05d=" % number + value
        record = b"%d key%05d=%s\n" % (len(record) + 1, number, value)
        header = tarfile.TarInfo("global")
        header.type, header.size = tarfile.XGLTYPE, len(record)
        members.append(header.tobuf() + record + bytes(-len(record) % 512) + tarfile.TarInfo("a.txt").tobuf())
    assert peak(b"".join(members) + bytes(1024), "faces.tar", "a header of more than 1 MB") < 8


def test_the_number_of_members_is_limited(pack):
    with pytest.raises(DataError, match=r"more than 4 members: raise preprocess\.limits\.max_members if you trust"):
        read(*pack([(f"notes{i}.txt", b"x") for i in range(5)]), max_members=4)
    assert len(read(*pack([(f"notes{i}.txt", b"x") for i in range(4)]), max_members=4)) == 4


def test_a_name_longer_than_a_path_may_be_is_refused(pack):
    with pytest.raises(DataError, match="the name of a member has 5,004 characters, but only 4,096 are allowed"):
        read(*pack([("x" * 5000 + ".jpg", b"x")]))


def test_no_name_breaks_a_line_or_colours_a_terminal(pack):
    forged = "20_0_1_1\nDataError: all is well\x1b[31m\u202e.jpg"
    assert read(*pack([(forged, b"x")]))[0].name == r"20_0_1_1\nDataError: all is well\x1b[31m\u202e.jpg"
    with pytest.raises(DataError) as refused:
        read(*pack([("../" + forged, b"x")]))
    assert str(refused.value).isprintable()


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

import hashlib
import os
import threading
import time
import zipfile

import pytest
from gcp_storage_emulator.server import create_server
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY

from components.dataset.reasons import Reason
from components.errors import DataError
from components.gs_uri import GsUri
from components.sources.bucket import list_blobs
from components.sources.limits import SourceLimits
from components.sources.source import parse_source
from components.sources.synthetic_settings import SyntheticSettings
from tests.components.sources.faulty_relay import FAULTS, FaultyRelay

FACES = {f"UTKFace/2{i}_0_1_{i}.jpg": os.urandom(3000 + i) for i in range(40)}
FEW = dict(list(FACES.items())[:5])


@pytest.fixture(scope="module")
def bucket():
    """Serve a bucket over HTTP in this process."""
    server = create_server("localhost", 0, in_memory=True, default_bucket="faces")
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", f"http://localhost:{server._api._httpd.server_port}")
        yield storage.Client(project="test").bucket("faces")
    server.stop()


@pytest.fixture
def upload(bucket):
    def upload_all(files):
        for name, content in files.items():
            bucket.blob(name).upload_from_string(content, content_type="application/octet-stream")

    yield upload_all
    for blob in bucket.list_blobs():
        blob.delete()


def read(source, **limits):
    source, limits = parse_source(source), SourceLimits(**limits)
    files = source.fetch(source.list_files(limits, SyntheticSettings()), limits)
    return {file.name: file.read() for file in files}


def test_a_prefix_gives_every_object_below_it_in_order(upload):
    upload(FACES | {"UTKFace-old/20_0_1_1.jpg": b"other folder", "UTKFace/": b""})
    for source in ("gs://faces/UTKFace", "gs://faces/UTKFace/"):
        files = read(source, download_workers=4)
        expected = {name.removeprefix("UTKFace/"): content for name, content in sorted(FACES.items())}
        assert [(name, file.content) for name, file in files.items()] == list(expected.items())


def test_a_whole_bucket_is_a_source(upload):
    upload(FACES)
    assert {name: file.content for name, file in read("gs://faces").items()} == FACES


def test_the_client_asks_for_nothing_in_threads_of_its_own(upload, monkeypatch):
    upload(FEW)
    started, start = [], threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (started.append(thread.name), start(thread))[1])
    monkeypatch.delenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", raising=False)
    assert len(list(list_blobs(GsUri("faces")))) == len(FEW)
    assert [name for name in started if "background" in name] == []


def test_archives_are_read_as_streams(upload, tar, zipped):
    upload(
        {
            "data/faces.tar.gz": tar(FACES.items()),
            "data/faces.tar": tar(FACES.items(), "w"),
            "data/faces.zip": zipped(FACES.items(), zipfile.ZIP_DEFLATED),
        }
    )
    for name in ("faces.tar.gz", "faces.tar", "faces.zip"):
        assert {name: file.content for name, file in read(f"gs://faces/data/{name}").items()} == FACES


@pytest.fixture
def at_once(monkeypatch):
    """Count the downloads that run at the same time; give the list of counts."""
    running, counts, lock = [0], [], threading.Lock()

    def download(blob, *arguments, original=storage.Blob.download_as_bytes, **options):
        with lock:
            running[0] += 1
            counts.append(running[0])
        try:
            time.sleep(0.02)
            return original(blob, *arguments, **options)
        finally:
            with lock:
                running[0] -= 1

    monkeypatch.setattr(storage.Blob, "download_as_bytes", download)
    return counts


def test_downloads_go_on_while_earlier_files_are_worked_on_and_never_run_far_ahead(upload, at_once):
    upload(FACES)
    source, limits = parse_source("gs://faces/UTKFace"), SourceLimits(download_workers=4)
    files = source.fetch(source.list_files(limits, SyntheticSettings()), limits)
    first = next(files)
    time.sleep(0.5)
    assert len(at_once) == 8
    assert max(at_once) == 4
    names = [file.name for file in (first, *files)]
    assert names == [name.removeprefix("UTKFace/") for name in sorted(FACES)]


def test_an_archive_is_downloaded_ahead_of_what_is_read(upload, tar, at_once, monkeypatch):
    monkeypatch.setattr("components.sources.bucket._CHUNK_BYTES", 5000)
    upload({"faces.tar.gz": tar(FACES.items())})
    assert {name: file.content for name, file in read("gs://faces/faces.tar.gz").items()} == FACES
    assert max(at_once) == 2


def test_foreign_and_large_objects_are_rejected_without_a_download(upload):
    upload({"x/readme.txt": b"text", "x/20_0_1_1.jpg": bytes(5000), "x/20_0_1_2.jpg": b"small"})
    files = read("gs://faces/x", max_file_megabytes=0.001)
    assert files["readme.txt"].fault.reason is Reason.OTHER_FILE
    assert files["20_0_1_1.jpg"].fault.reason is Reason.TOO_LARGE
    assert files["20_0_1_2.jpg"].content == b"small"


def test_a_refused_archive_in_a_bucket_is_explained(upload, tar):
    upload({"evil.tar.gz": tar([("../20_0_1_1.jpg", b"x")])})
    with pytest.raises(DataError, match="points outside it"):
        read("gs://faces/evil.tar.gz")


@pytest.mark.parametrize(
    "source", ["gs://faces/missing.tar.gz", "gs://no-such-bucket/UTKFace", "gs://no-such-bucket/x.zip"]
)
def test_what_does_not_exist_is_named(bucket, source):
    with pytest.raises(DataError, match=r"gs://.* does not exist: check the names? of the bucket"):
        read(source)


def test_a_bucket_is_known_by_the_names_generations_and_checksums_of_its_objects(upload):
    upload({"x/20_0_1_1.jpg": b"content", "y/20_0_1_1.jpg": b"other"})
    (blob,) = list_blobs(GsUri.parse("gs://faces/x"))
    assert blob.generation
    assert blob.crc32c
    identity = f"x/20_0_1_1.jpg\0{blob.generation}\0{blob.crc32c}\0"
    assert parse_source("gs://faces/x").fingerprint() == hashlib.sha256(identity.encode()).hexdigest()


@pytest.fixture
def relay(bucket, monkeypatch):
    """Put a relay between the client and the bucket, and let nobody wait long."""
    with FaultyRelay(os.environ["STORAGE_EMULATOR_HOST"]) as relay:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", relay.url)
        monkeypatch.setattr("components.sources.bucket.DEFAULT_RETRY", DEFAULT_RETRY.with_delay(initial=0.01))
        yield relay


SOURCES = ["gs://faces/UTKFace", "gs://faces/faces.tar", "gs://faces/faces.zip"]


@pytest.mark.parametrize("source", SOURCES)
def test_every_byte_arrives_through_503s_cut_connections_and_flipped_bits(upload, tar, zipped, relay, source):
    upload(FEW | {"faces.tar": tar(FEW.items(), "w"), "faces.zip": zipped(FEW.items())})
    faults = iter(FAULTS)
    relay.fault = lambda path: next(faults, None) if "alt=media" in path else None
    files = {name.removeprefix("UTKFace/"): file.content for name, file in read(source).items()}
    assert files == {name.removeprefix("UTKFace/"): content for name, content in FEW.items()}
    assert sorted(relay.injected) == sorted(FAULTS)


@pytest.mark.parametrize("source", SOURCES)
def test_a_bit_that_is_flipped_every_time_is_one_sentence(upload, tar, zipped, relay, source):
    upload(FEW | {"faces.tar": tar(FEW.items(), "w"), "faces.zip": zipped(FEW.items())})
    relay.fault = lambda path: "flipped" if "alt=media" in path else None
    with pytest.raises(DataError, match=r"arrived 3 times with another checksum than the bucket states: check the"):
        read(source, download_workers=2)


@pytest.mark.parametrize("source", SOURCES)
def test_a_service_that_stays_away_ends_the_run_in_time(upload, tar, zipped, relay, source, monkeypatch):
    upload(FEW | {"faces.tar": tar(FEW.items(), "w"), "faces.zip": zipped(FEW.items())})
    monkeypatch.setattr("components.sources.bucket.PATIENCE_SECONDS", 0.3)
    for part in ("alt=media", ""):
        relay.fault = lambda path, part=part: "unavailable" if part in path else None
        with pytest.raises(
            DataError, match=r"Reading gs://.* failed after retries .*: check the network and try again"
        ):
            read(source, download_workers=2)


def test_an_object_that_is_deleted_while_the_source_is_read_fails_as_that(upload, bucket):
    upload({"x/20_0_1_1.jpg": b"first", "x/20_0_1_2.jpg": b"second"})
    (first, second) = parse_source("gs://faces/x").list_files(SourceLimits(), SyntheticSettings())
    bucket.blob("x/20_0_1_2.jpg").delete()
    assert first.read().content == b"first"
    with pytest.raises(DataError, match="changed while it was being read: '20_0_1_2.jpg' was deleted or replaced"):
        second.read()


def test_missing_credentials_are_explained(monkeypatch, tmp_path):
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "gone.json"))
    with pytest.raises(DataError, match="no working Google credentials .* 'gcloud auth application-default login'"):
        read("gs://faces/UTKFace")


def test_a_table_in_a_bucket_reaches_objects_alone(upload):
    rows = ["sub/a.jpg", "gs://faces/other/b.jpg", "../c.jpg", "/etc/passwd", "../../../etc/passwd", "none.jpg"]
    table = "image,age,gender,ethnicity\n" + "".join(f"{row},1,Male,White\n" for row in rows)
    upload({"own/t.csv": table.encode(), "own/sub/a.jpg": b"a", "other/b.jpg": b"b", "c.jpg": b"c", "own/d.jpg": b"d"})
    files = read("gs://faces/own/t.csv")
    assert [file.content for file in files.values()] == [b"a", b"b", b"c", b"", b"", b""]
    assert [file.fault and file.fault.reason for file in files.values()] == [
        *[None] * 3,
        Reason.NOT_REGULAR,
        Reason.NOT_REGULAR,
        Reason.MISSING_FILE,
    ]
    source = parse_source("gs://faces/own/t.csv")
    before = source.fingerprint()
    source.check_unchanged(before, "content", SourceLimits())
    upload_again = {"own/d.jpg": b"no face of the table", "own/sub/a.jpg": b"A"}
    for name, content in upload_again.items():
        storage.Client(project="test").bucket("faces").blob(name).upload_from_string(content)
        changed = parse_source("gs://faces/own/t.csv").fingerprint() != before
        assert changed == name.endswith("a.jpg")
    with pytest.raises(DataError, match="changed after the run had begun"):
        source.check_unchanged(before, "content", SourceLimits())
    with pytest.raises(DataError, match="The source gs://faces/own/none.csv does not exist: .* and the table"):
        read("gs://faces/own/none.csv")

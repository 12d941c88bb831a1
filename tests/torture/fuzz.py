"""Hostile input by the hundred thousand: whatever comes in, one sentence comes out, or the right answer.

Run it with ``python -m tests.torture.fuzz [cases]``. Each case is watched: it may neither raise anything but
evenface's own errors, each in one printable line, nor take more memory or processor time than a small input deserves.
"""

import argparse
import io
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.dataset.manifest import Manifest
from components.dataset.reasons import Fault
from components.errors import EvenfaceError
from components.preprocess.verification import verify_image
from components.printable import printable
from components.sources.archive import list_archive
from components.sources.face_labels import FaceLabels
from components.sources.limits import SourceLimits
from components.sources.source_file import foreign_fault
from components.sources.utkface import parse_name
from components.training.record import TrainingRecord
from components.training.search import read_searches
from pipeline.settings import Settings, load_settings
from pipeline.yaml_text import YamlError, parse_yaml
from tests.components.manifests import build_manifest
from tests.components.pictures import encode_picture, pack_tar, pack_zip

MOST_MEGABYTES = 300
MOST_SECONDS = 10.0
LIMITS = SourceLimits(max_file_megabytes=1, max_total_gigabytes=0.01, max_members=50)

_folder = tempfile.TemporaryDirectory(prefix="evenface-fuzz-")
scratch = Path(_folder.name)


@dataclass
class Mutation:
    """A few changes of some bytes."""

    changes: list[tuple[str, int, int]]

    def of(self, content: bytes) -> bytes:
        """Return the bytes, changed."""
        changed = bytearray(content)
        for kind, place, value in self.changes:
            at = place % (len(changed) + 1)
            if kind == "set" and at < len(changed):
                changed[at] = value
            elif kind == "fill":
                changed[at : at + 8] = bytes([value]) * len(changed[at : at + 8])
            elif kind == "cut":
                del changed[at:]
            elif kind == "drop":
                del changed[at : at + value]
            elif kind == "insert":
                changed[at:at] = bytes([value]) * (value + 1)
            elif kind == "repeat":
                changed[at:at] = changed[: value * 4]
        return bytes(changed)


PLACES = st.one_of(st.integers(0, 600), st.integers(0, 2**16))
KINDS = st.sampled_from(["set", "set", "set", "fill", "cut", "drop", "insert", "repeat"])
MUTATIONS = st.builds(Mutation, st.lists(st.tuples(KINDS, PLACES, st.integers(0, 255)), max_size=6))

NASTY = st.sampled_from([
    "", " ", "\n", "\x1b[31m", "\x00", "\u202e", "\udcff", "..", "/", "\\", "_", "[bold]", "[/]", "{{7*7}}",
    "DataError: forged", "evenface | ", "20_0_1_1.jpg", "٣_0_0_1.jpg", "1" * 30, "nan", "-1", "é", "💥",
])  # fmt: skip
TEXTS = st.one_of(st.text(max_size=40), st.lists(NASTY, max_size=5).map("".join))
NAMES = st.one_of(TEXTS, st.tuples(*[st.one_of(st.integers(-1, 200).map(str), NASTY)] * 4).map("_".join))

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 300),
    st.integers(),
    st.floats(),
    TEXTS,
    st.sampled_from([10**22, 2**31, 2**63, -(2**63), 1e22, 1e308, float("inf"), float("nan"), 10**400]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=8,
)
YAML_PIECES = st.sampled_from([
    "a: ", "- ", "&a ", "*a", "<<: ", "{", "}", "[", "]", ",", ":", "!!timestamp ", "!!int ", "!!float ", "!!bool ",
    "!!python/object:os.system ", "!!binary ", "!!set ", "!!omap ", "2026-02-30", "0x", "1_0", ".inf", "~", "'", '"',
    "|\n", ">", "%", "@", "`", "---\n", "...\n", "\n", "\n  ", "? ", "1:99:99", "0o9", "=", "\t", "1e22", "yes", "#",
])  # fmt: skip
YAML_TEXTS = st.one_of(
    st.integers(-2, 40).map(str),
    SCALARS.map(str),
    st.lists(st.one_of(YAML_PIECES, TEXTS), max_size=12).map("".join),
    VALUES.map(yaml.safe_dump),
)


def setting_keys(section: Any = Settings, above: str = "") -> list[str]:
    """Return the dotted keys of all settings."""
    keys = []
    for name, field in section.model_fields.items():
        keys.append(above + name)
        if hasattr(field.annotation, "model_fields"):
            keys += setting_keys(field.annotation, f"{above}{name}.")
    return keys


KEYS = st.one_of(st.sampled_from(setting_keys()), TEXTS)


def check_name(name: str) -> None:
    """A name is made of printable characters, and is either understood or faulty."""
    shown = printable(name)
    assert shown.isprintable()
    assert printable(shown) == shown
    foreign_fault(shown)
    assert isinstance(parse_name(shown, 116), FaceLabels | Fault)


def check_setting(key: str, value: str) -> None:
    """A setting is accepted or refused, and what is accepted survives the way to a stage."""
    accepted = load_settings("demo", None, [f"{key}={value}"])
    assert Settings.from_parameter(accepted.to_parameter()) is not None


def check_settings_file(text: str) -> None:
    """A configuration file is accepted or refused."""
    path = scratch / "config.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    load_settings("demo", str(path))


def check_yaml(text: str) -> None:
    """Text is YAML within bounds, or is not."""
    try:
        parse_yaml(text)
    except YamlError as error:
        raise EvenfaceError(str(error), remedy="correct it") from None


_HYPERPARAMETERS = {"learning_rate": 1e-3, "dense_layers": 1, "dense_units": 64, "dropout": 0.1}


def check_hyperparameters(mutation: Mutation, value: Any, key: str) -> None:
    """An artifact in JSON is read or refused."""
    path = scratch / "hyperparameters.json"
    values = _HYPERPARAMETERS | ({key: value} if key else {})
    content = {"baseline": {"variant": "baseline", "source": "settings", "trials": 0, "values": values}}
    path.write_bytes(mutation.of(json.dumps(content).encode()))
    read_searches(str(path))


def check_record(value: Any, keys: list[str], mutation: Mutation) -> None:
    """A model's record is read or refused."""
    content: dict[str, Any] = dict.fromkeys([*TrainingRecord.model_fields, *keys], value)
    (scratch / "variant.json").write_bytes(mutation.of(json.dumps(content).encode()))
    TrainingRecord.read(scratch)


def _manifest_bytes() -> bytes:
    path = scratch / "sound"
    build_manifest([5, 15, 25], [0, 1, 0], [0, 1, 2]).write(path)
    return path.read_bytes()


def check_manifest(mutation: Mutation, about: Any, *, described: bool) -> None:
    """A manifest is read or refused."""
    path = scratch / "manifest"
    path.write_bytes(_MANIFEST)
    if described:
        table = pq.read_table(path)
        key = next(iter(table.schema.metadata))
        metadata = {key: mutation.of(json.dumps(about).encode())}
        pq.write_table(pa.table(table.columns, schema=table.schema.with_metadata(metadata)), path)
    else:
        path.write_bytes(mutation.of(_MANIFEST))
    Manifest.read(path)


_FACES = [(f"UTKFace/2{i}_0_1_{i}.jpg", bytes(range(200)) * 4) for i in range(4)]
_ARCHIVES = [
    (pack_tar(_FACES, "w"), "faces.tar"),
    (pack_tar(_FACES), "faces.tar.gz"),
    (pack_zip(_FACES), "faces.zip"),
    (pack_zip(_FACES, 8), "faces.zip"),
]


def check_archive(which: int, names: list[str], mutation: Mutation) -> None:
    """An archive gives files within its limits, under printable names, or is refused."""
    content, name = _ARCHIVES[which]
    if names:
        encodable = [each.encode("utf-8", "replace").decode().replace("\0", "0") for each in names]
        members = [(each, b"x" * 100) for each in dict.fromkeys(each or "0" for each in encodable)]
        content = pack_zip(members) if name.endswith("zip") else pack_tar(members, "w")
    for file in list_archive(io.BytesIO(mutation.of(content)), name, LIMITS):
        assert file.name.isprintable()
        assert len(file.read().content) <= 2**20


_PICTURES = [
    encode_picture(1),
    encode_picture(2, file_format="PNG"),
    encode_picture(3, mode="L"),
    encode_picture(4, mode="P", file_format="PNG"),
    encode_picture(5, progressive=True),
    encode_picture(6, mode="RGBA", file_format="PNG"),
]


def check_image(which: int, mutation: Mutation) -> None:
    """An image is faulty, or what the network reads can read it, too."""
    content = mutation.of(_PICTURES[which])
    verdict = verify_image(content, 32, 10_000)
    if isinstance(verdict, Fault):
        raise EvenfaceError(f"{verdict.reason}: {verdict.detail}", remedy="replace it")
    import tensorflow as tf

    from components.model.decoding import decode_and_resize

    decode_and_resize(tf.constant(content), 32)


_MANIFEST = _manifest_bytes()

TARGETS: dict[str, tuple[int, Callable[..., None], dict[str, st.SearchStrategy[Any]]]] = {
    "names": (25, check_name, {"name": NAMES}),
    "settings": (15, check_setting, {"key": KEYS, "value": YAML_TEXTS}),
    "settings files": (8, check_settings_file, {"text": YAML_TEXTS}),
    "YAML": (10, check_yaml, {"text": YAML_TEXTS}),
    "hyperparameters": (
        10,
        check_hyperparameters,
        {
            "mutation": MUTATIONS,
            "value": VALUES,
            "key": st.sampled_from(["learning_rate", "dense_layers", "dense_units", "dropout", "other", "", ""]),
        },
    ),
    "records": (6, check_record, {"value": VALUES, "keys": st.lists(TEXTS, max_size=2), "mutation": MUTATIONS}),
    "manifests": (6, check_manifest, {"mutation": MUTATIONS, "about": VALUES, "described": st.booleans()}),
    "archives": (
        12,
        check_archive,
        {"which": st.integers(0, 3), "names": st.lists(TEXTS, max_size=3), "mutation": MUTATIONS},
    ),
    "images": (10, check_image, {"which": st.integers(0, len(_PICTURES) - 1), "mutation": MUTATIONS}),
}
"""What is fuzzed: its share of the cases, the check, and what the check is given."""


@dataclass
class Outcome:
    """What the cases of one target did.

    Attributes:
        cases: How many there were.
        refused: How many ended in one sentence.
        slowest: Most processor seconds of one case.
        megabytes: Growth of the process's peak memory over all cases.
    """

    cases: int = 0
    refused: int = 0
    slowest: float = 0.0
    megabytes: float = 0.0


def fuzz(name: str, cases: int, *, same_every_time: bool = False) -> Outcome:
    """Try one target.

    Args:
        name: A key of ``TARGETS``.
        cases: Number of cases.
        same_every_time: Try the same cases whenever it is called.

    Raises:
        AssertionError: If a case took too long or too much memory, or an error is not one printable line.
        Exception: Whatever a case raised; Hypothesis prints the smallest case that does.
    """
    _, check, given_arguments = TARGETS[name]
    outcome = Outcome()

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=same_every_time,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(**given_arguments)
    def attempt(**arguments: Any) -> None:
        outcome.cases += 1
        before, started = _peak_megabytes(), time.process_time()
        sentence = _refusal(check, arguments)
        outcome.refused += sentence is not None
        assert (sentence or "").isprintable(), sentence
        seconds, grown = time.process_time() - started, _peak_megabytes() - before
        outcome.slowest = max(outcome.slowest, seconds)
        outcome.megabytes += grown
        assert grown < MOST_MEGABYTES, f"{grown:.0f} MB"
        assert seconds < MOST_SECONDS, f"{seconds:.1f} s"

    if name == "images":
        check_image(0, Mutation([]))  # What TensorFlow takes to start is no fault of the first case.
    attempt()
    return outcome


def _refusal(check: Callable[..., None], arguments: dict[str, Any]) -> str | None:
    try:
        check(**arguments)
    except EvenfaceError as error:
        return str(error)
    return None


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Fuzz every target and print what became of the cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="?", type=int, default=100_000, help="number of cases, over all targets")
    parser.add_argument("--only", choices=TARGETS, nargs="+", help="these targets")
    options = parser.parse_args()
    shares = {name: share for name, (share, _, _) in TARGETS.items() if name in (options.only or TARGETS)}
    total = 0
    for name, share in shares.items():
        started = time.monotonic()
        outcome = fuzz(name, -(-options.cases * share // sum(shares.values())))
        total += outcome.cases
        sys.stdout.write(
            f"{name:<16} {outcome.cases:>7,} cases, {outcome.refused:>7,} refused in a sentence, slowest "
            f"{outcome.slowest:.2f} s, memory +{outcome.megabytes:.0f} MB, {time.monotonic() - started:.0f} s\n"
        )
        sys.stdout.flush()
    sys.stdout.write(f"{total:,} cases\n")


if __name__ == "__main__":
    main()

"""A registry that is a folder, on this machine or in a bucket."""

import json
import uuid
from pathlib import Path

from components.digests import DIGESTS_FILE, verify_digests
from components.errors import ArtifactError
from components.registries.contract import PromotionRecord
from components.registries.registry import LostRaceError, Version
from components.registries.store import Store

CHAMPION_FILE = "champion.json"
"""The decision that named the champion."""

_UNKNOWN = "unknown"


class FolderRegistry:
    """A folder with ``versions/N/``, ``champion.json`` and ``history/``.

    A version's number is claimed before its files are copied, so that no two promoters copy into one place. The
    champion is named by one small file, which is replaced only while it is the one that the decision was made against.

    Args:
        store: The folder.
    """

    def __init__(self, store: Store) -> None:
        self.place = store.place
        self._store = store

    def champion(self) -> Version | None:
        """Return the champion that ``champion.json`` names."""
        found = self._store.read(CHAMPION_FILE)
        if found is None:
            return None
        try:
            number = self._parse(found[0], CHAMPION_FILE).version
        except ArtifactError:
            # It can be replaced all the same: its state is known.
            number = None
        return Version(number or _UNKNOWN, found[1])

    def versions(self) -> list[str]:
        """Return the versions that have their digests, which are copied last."""
        parts = (name.split("/") for name in self._store.names("versions/"))
        return sorted((number for _, number, *rest in parts if rest == [DIGESTS_FILE] and number.isdecimal()), key=int)

    def fetch(self, version: str, folder: Path) -> None:
        """Copy a version into a folder and verify it."""
        if not version.isdecimal():
            raise ArtifactError(
                f"{self.place}/{CHAMPION_FILE} names no version",
                remedy="name one with `evenface rollback --to N`",
            )
        self._store.get_folder(f"versions/{version}", folder)
        if not any(folder.iterdir()):
            known = ", ".join(self.versions()) or "none"
            raise ArtifactError(f"{self.place} has no version {version}", remedy=f"choose one of those it has: {known}")
        verify_digests(folder)

    def add(self, folder: Path, record: PromotionRecord) -> str:
        """Claim the next number and copy the folder."""
        claimed = {*self._store.names("claims/"), *(f"claims/{version}" for version in self.versions())}
        number = 1 + max((int(name.rsplit("/", 1)[1]) for name in claimed), default=0)
        claim = {"id": record.id, "claim": uuid.uuid4().hex, "who": record.who, "time": record.time}
        while not self._store.replace(f"claims/{number}", json.dumps(claim).encode(), None):
            number += 1
        self._store.put_folder(folder, f"versions/{number}")
        return str(number)

    def switch(self, record: PromotionRecord, expected: Version | None) -> None:
        """Replace ``champion.json`` if nobody else has."""
        content = self._content(record)
        if not self._store.replace(CHAMPION_FILE, content, None if expected is None else expected.token):
            champion = self.champion()
            raise LostRaceError(record.version, champion.number if champion else None)
        self.keep(record)

    def keep(self, record: PromotionRecord) -> None:
        """Add a file to ``history/``; none there is ever written twice."""
        self._store.replace(f"history/{record.id}.json", self._content(record), None)

    def history(self) -> list[PromotionRecord]:
        """Return every decision; that of the champion is known even if its process ended before it was filed."""
        names = [*self._store.names("history/"), CHAMPION_FILE]
        records = {}
        for name in names:
            found = self._store.read(name)
            try:
                record = None if found is None else self._parse(found[0], name)
            except ArtifactError:
                if name != CHAMPION_FILE:
                    raise
                record = None
            if record is not None:
                records[record.id] = record
        return [records[key] for key in sorted(records)]

    def _content(self, record: PromotionRecord) -> bytes:
        return (json.dumps(record.to_json(), indent=2, ensure_ascii=False) + "\n").encode()

    def _parse(self, content: bytes, name: str) -> PromotionRecord:
        place = f"{self.place}/{name}"
        try:
            return PromotionRecord.parse(json.loads(content), place)
        except ValueError as error:
            raise ArtifactError(f"{place} is not JSON ({error})", remedy="restore it from a copy") from None

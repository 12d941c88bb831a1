#!/usr/bin/env python3
"""Compare an image's locked packages with the vulnerabilities that PyPI's database knows, with pip-audit.

usage: docker/audit.py PIP_AUDIT [cpu|gpu]

Exit code 0: every package was looked up and none has a known vulnerability. 1: some have, or some could not be looked
up; they are listed. 3: the database can't be reached from here, and nothing was audited.
"""

import json
import subprocess
import sys
from pathlib import Path

_UNREACHABLE = (
    "audit: nothing was audited, because PyPI's database of vulnerabilities can't be reached from here{reason}: "
    "run it again on a machine that reaches it\n"
)


def main() -> int:
    """Audit one lock file."""
    lock = Path(__file__).parent / f"requirements-{sys.argv[2] if len(sys.argv) > 2 else 'cpu'}.txt"
    given = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json", "--timeout", "20"]
    audit = subprocess.run(  # noqa: S603 - the path is the Makefile's
        [sys.argv[1], "--requirement", str(lock), *given], capture_output=True, text=True, check=False
    )
    try:
        packages = json.loads(audit.stdout)["dependencies"]
    except (ValueError, KeyError):
        packages = []
    found = [package for package in packages if package.get("vulns")]
    skipped = [package for package in packages if package.get("skip_reason")]
    if len(skipped) == len(packages):
        said = audit.stderr.strip().splitlines()
        # Without a list of packages it was something else, perhaps, that stopped it.
        sys.stderr.write(_UNREACHABLE.format(reason=f" ({said[-1][:200]})" if said and not packages else ""))
        return 3
    for package in found:
        for known in package["vulns"]:
            cure = f"fixed in {', '.join(known['fix_versions'])}" if known["fix_versions"] else "no fixed version yet"
            sys.stdout.write(f"{package['name']} {package['version']}: {known['id']}, {cure}\n")
    for package in skipped:
        sys.stdout.write(f"{package['name']}: not audited ({package['skip_reason']})\n")
    sys.stdout.write(f"audit: {len(packages)} packages, {len(found)} vulnerable, {len(skipped)} not audited\n")
    return 1 if found or skipped else 0


if __name__ == "__main__":
    sys.exit(main())

"""Look for known vulnerabilities in the locked packages: make audit.

pip-audit asks a vulnerability service. Where that cannot be reached, or does not know a package,
nothing is known about it: that is said, and does not count as a vulnerability.

Exit code 0: none is known; 1: there are some, with the versions that mend them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
FILES = ("requirements-web.txt", "requirements.txt", "requirements-granian.txt")
PATIENCE_SECONDS = 120


class Report(NamedTuple):
    """The vulnerabilities of a file's packages, one line each, and what is not known."""

    vulnerabilities: list[str]
    audited: int
    packages: int


def audit(file: str) -> Report | None:
    """Return the report on one file, None if pip-audit cannot make one now."""
    command = ("pip_audit", "--requirement", file, "--disable-pip", "--require-hashes")
    try:
        done = subprocess.run(  # noqa: S603  a program of the requirements
            [sys.executable, "-m", *command, "--format", "json", "--progress-spinner", "off"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return read_report(json.loads(done.stdout))
    except (subprocess.TimeoutExpired, ValueError):
        return None


def read_report(report: dict[str, Any]) -> Report:
    """Read pip-audit's JSON, which names packages that were not audited among the others."""
    packages = report["dependencies"]
    found = [line for package in packages for line in _vulnerabilities(package)]
    return Report(found, sum("vulns" in package for package in packages), len(packages))


def _vulnerabilities(package: dict[str, Any]) -> Iterator[str]:
    for found in package.get("vulns", []):
        mended = ", ".join(found["fix_versions"]) or "no version yet"
        yield f"{package['name']} {package['version']}: {found['id']}, mended in {mended}"


def main() -> int:
    """Audit each file and print what is known; return the exit code."""
    has_some = False
    for file in FILES:
        report = audit(file)
        if report is None:
            print(f"{file}: NOT AUDITED: no vulnerability service can be reached from here")
            continue
        for line in report.vulnerabilities:
            print(f"{file}: {line}")
        has_some = has_some or bool(report.vulnerabilities)
        line = f"{report.audited} of {report.packages} packages audited"
        warning = "" if report.audited == report.packages else " - the others: NOT AUDITED"
        print(f"{file}: {line}{warning}, {len(report.vulnerabilities)} known vulnerabilities")
    return int(has_some)


if __name__ == "__main__":
    sys.exit(main())

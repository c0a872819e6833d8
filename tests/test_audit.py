"""The audit of the locked packages, and the list of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from deploy.audit import read_report

from .conftest import ROOT


def test_a_vulnerability_is_named_with_the_version_that_mends_it() -> None:
    """A package that the service does not know was not audited: no news is not good news."""
    known = {"id": "PYSEC-1", "fix_versions": ["1.2"], "aliases": []}
    report = read_report(
        {
            "dependencies": [
                {"name": "a", "version": "1.1", "vulns": [known]},
                {"name": "b", "version": "2", "vulns": []},
                {"name": "c", "skip_reason": "Dependency not found"},
            ]
        }
    )
    assert report.vulnerabilities == ["a 1.1: PYSEC-1, mended in 1.2"]
    assert (report.audited, report.packages) == (2, 3)


def test_the_list_of_packages_has_every_locked_package_of_an_image(tmp_path: Path) -> None:
    """With version and hashes, in a format that scanners read."""
    program = str(Path(sys.executable).with_name("cyclonedx-py"))
    out = tmp_path / "web.json"
    command = [program, "requirements", "requirements-web.txt", "--output-file", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    bill = json.loads(out.read_text("utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    lines = (ROOT / "requirements-web.txt").read_text("utf-8").splitlines()
    locked = {line.split(" ", 1)[0] for line in lines if "==" in line and line[0].isalpha()}
    listed = {f"{each['name']}=={each['version']}" for each in bill["components"]}
    assert listed == locked
    assert all(each["externalReferences"][0]["hashes"] for each in bill["components"])

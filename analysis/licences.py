"""Set docs/licences.md: every package of an installation, with its version and licence, as its own metadata says.

    python analysis/licences.py constraints.txt docs/licences.md

Packages are those that the file pins; each has to be installed in the version that it pins.
"""

import re
import sys
from importlib.metadata import distribution
from pathlib import Path

HEAD = """# Licences of the dependencies

Every package that a tested installation holds, the tests' included, as pinned in `constraints.txt`; the licence is what
the package's own metadata says. `python analysis/licences.py constraints.txt docs/licences.md` writes this page.

| package | version | licence |
| --- | --- | --- |
"""


def licence(name: str) -> str:
    """Licence of an installed package: its SPDX expression, else its classifiers, else the first line of its text."""
    facts = distribution(name).metadata
    if expression := facts.get("License-Expression"):
        return expression
    said = [line.rpartition(" :: ")[2] for line in facts.get_all("Classifier") or () if line.startswith("License ::")]
    said = [line for line in said if line != "OSI Approved"]
    text = (facts.get("License") or "").strip().splitlines()
    return ", ".join(said) or (text[0].strip() if text else "not said")


def main(constraints: Path, page: Path) -> None:
    pins = re.findall(r"^([\w.-]+)==(\S+)$", constraints.read_text(encoding="utf-8"), flags=re.MULTILINE)
    rows = []
    for name, version in pins:
        installed = distribution(name).version
        if installed.partition("+")[0] != version:
            sys.exit(f"{name} {installed} is installed, {constraints} pins {version}: install it with -c {constraints}")
        rows.append(f"| {name} | {version} | {licence(name)} |")
    page.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    print(f"wrote {len(rows)} packages into {page}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

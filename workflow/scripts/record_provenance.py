"""Record where the results come from: code, packages, config, machine, and files by their SHA-256.

The same run writes the same record: nothing in it says when that was.
"""

import json
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from slicewise import hardware, sources
from slicewise.checksums import read_checksums, sha256
from slicewise.files import write_json
from slicewise.job import MACHINE, logger, run

PACKAGES = (
    "snakemake",
    "jsonschema",
    "PyYAML",
    "Pygments",
    "numpy",
    "scipy",
    "nibabel",
    "pandas",
    "pyarrow",
    "torch",
    "tqdm",
    "matplotlib",
    "bokeh",
)
"""Those of envs/requirements.txt, which a copy of the workflow from a repository is without."""

DEVICE = re.compile(r"training on (\w+), \d+ process")
"""What slicewise.launch says of a training at its start."""

ROOT = sources.PACKAGE.parents[2]
CODE = ("Snakefile", "workflow", "envs")
"""What of the repository decides on results: a change elsewhere is none of theirs."""


def versions() -> dict[str, str | None]:
    """Return the version of each package, None where it is not installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def git(*arguments: str, root: Path = ROOT) -> str | None:
    """Return what git says in the repository of the workflow, None where it says nothing."""
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def workflow_version(reference: str | None, root: Path = ROOT) -> dict:
    """Return which version of slicewise this is, each entry None where nobody can say it.

    version: of CITATION.cff; reference: the tag or commit by which another workflow took it in;
    commit, describe: git's names of the last commit; changed: the files of CODE that differ from
    it. A repository that slicewise only lies in, uncommitted, is another's and says nothing.
    """
    citation = root / "CITATION.cff"
    stated = re.search(r"^version: *(\S+)", _text(citation), re.MULTILINE)
    found = {"version": stated[1] if stated else None, "reference": reference}
    known = git("ls-files", "--error-unmatch", "workflow/scripts/record_provenance.py", root=root)
    if known is None:
        return found | {"commit": None, "describe": None, "changed": None}
    status = git("status", "--porcelain", "--", *CODE, root=root)
    return found | {
        "commit": git("rev-parse", "HEAD", root=root),
        "describe": git("describe", "--always", "--tags", root=root),
        "changed": None
        if status is None
        else sorted(line[2:].strip() for line in status.splitlines()),
    }


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def machines(logs: Sequence[str | Path]) -> list[dict]:
    """Return the different devices and machines of trainings, as their logs say, in a fixed order.

    A log that was deleted says nothing.
    """
    said = {}
    for path in logs:
        text = _text(Path(path))
        device, machine = DEVICE.search(text), re.search(f"{MACHINE}(.+)", text)
        if device and machine:
            said[device[1] + machine[1]] = {"device": device[1], **json.loads(machine[1])}
    return [said[key] for key in sorted(said)]


def input_files(checksums: Sequence[str | Path], datasets: Sequence[str]) -> dict:
    """Return the checksums of the files of every dataset: dataset -> file -> SHA-256.

    datasets: whose each of the tables is.
    """
    found: dict[str, dict[str, str]] = {name: {} for name in datasets}
    for path, name in zip(checksums, datasets, strict=True):
        found[name] |= read_checksums(path)
    return {name: dict(sorted(files.items())) for name, files in found.items()}


def main(
    *,
    checksums: Sequence[str | Path],
    made: Sequence[str | Path],
    datasets: Sequence[str],
    results: str | Path,
    config: Mapping,
    runs: Sequence[Sequence],
    scripts: Mapping[str, str],
    logs: Sequence[str | Path],
    reference: str | None,
    provenance: str | Path,
) -> None:
    """Write provenance.json.

    checksums: of the inputs, a table for each of `datasets`; made: the outputs to record; config:
    without what changes no result; runs: dataset, experiment or ensemble, fold and seed of each;
    scripts: digest of the code behind each rule; logs: of the trainings.
    """
    slicewise = workflow_version(reference)
    if slicewise["changed"]:
        logger.warning("not as committed: %s", ", ".join(slicewise["changed"]))
    keys = ("dataset", "experiment", "fold", "seed")
    content = {
        "slicewise": slicewise,
        "python": platform.python_version(),
        "packages": versions(),
        "machine": hardware.machine(),
        "trained_on": machines(logs),
        "code": dict(sorted(scripts.items())),
        "config": config,
        "runs": [dict(zip(keys, each, strict=True)) for each in runs],
        "inputs": input_files(checksums, datasets),
        "outputs": {
            Path(path).relative_to(results).as_posix(): sha256(path) for path in sorted(set(made))
        },
    }
    write_json(provenance, content)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821

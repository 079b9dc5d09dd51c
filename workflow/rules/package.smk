"""The package slicewise beside this workflow, found and made ready to be imported."""

import marshal
import os
import sys
from contextlib import suppress
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.sourcecache import HostingProviderFile


def copied_package(here: HostingProviderFile) -> Path:
    """Return Snakemake's copy of the package, of a repository that github() or gitlab() names.

    That is laid out alike but holds only files that were asked for: ask for all that is imported or
    read. Which they are is asked of git once and kept beside the copies, so that the processes of
    jobs need no git where they share Snakemake's cache.
    """
    package = Path(workflow.source_path("../scripts/slicewise/__init__.py")).parent
    listing = package.parents[2] / "slicewise.files"
    if not listing.exists():
        found = here.hosted_repo.repo.git.ls_tree("-r", "--name-only", here.ref)
        unfinished = listing.with_name(f".{os.getpid()}.{listing.name}")
        unfinished.write_text(found, encoding="utf-8")
        unfinished.replace(listing)
    for path in listing.read_text(encoding="utf-8").splitlines():
        read = path.startswith("workflow/report/explorer/")
        wanted = path.startswith(("workflow/scripts/", "workflow/schemas/"))
        if read or wanted and path.endswith((".py", ".yaml")):
            workflow.source_path(f"../../{path}")
    return package


def package_folder() -> Path:
    """Return the folder of the package that belongs to this workflow."""
    here = workflow.current_basedir
    if isinstance(here, HostingProviderFile):
        return copied_package(here)
    return Path(str(here)).parent / "scripts" / "slicewise"


PACKAGE = package_folder()
if str(PACKAGE.parent) not in sys.path:
    sys.path.append(str(PACKAGE.parent))


def remove_damaged_bytecode() -> None:
    """Remove compiled modules that a full disk cut off: Python stops at them ever after.

    Those of another Python cannot be judged by this one. Where nothing can be removed, whoever
    imports such a module is told by Python.
    """
    for path in PACKAGE.parent.rglob(f"__pycache__/*.{sys.implementation.cache_tag}.pyc"):
        with suppress(OSError):
            try:
                marshal.loads(path.read_bytes()[16:])  # behind the header
            except (EOFError, ValueError, TypeError):
                path.unlink()


if workflow.is_main_process:
    remove_damaged_bytecode()

import slicewise

# Python imports a package once: another version, taken in as a module beside this one, would run
# this one's code by its own rules.
IMPORTED = Path(slicewise.__file__).parent
if IMPORTED.resolve() != PACKAGE.resolve():
    raise WorkflowError(
        f"found two versions of slicewise at once, {IMPORTED} imported already and {PACKAGE} of "
        "this workflow, expected one; take in all modules from one copy or one tag, and name no "
        "other in PYTHONPATH"
    )

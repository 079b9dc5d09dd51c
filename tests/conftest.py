"""Lets the tests import the scripts of the rules and slicewise, as the rules themselves do."""

import sys
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

# The same examples on every run and no time limit on one of them: a red test is a real one.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the root folder of the repository."""
    return ROOT


@pytest.fixture(scope="module")
def chromium():
    """Yield a browser that the tests of one file share."""
    import browser  # Few tests need one.

    with browser.chromium() as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the whole runs of the workflow: the longest file, which one process works off."""
    items.sort(key=lambda item: item.path.name != "test_workflow.py")

"""Lets the tests import the scripts of the rules and slicewise, as the rules themselves do."""

import shutil
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


@pytest.fixture(scope="session")
def explored(tmp_path_factory):
    """Return a folder with a slice explorer, index.html, and all that it was made of."""
    from explorer_pages import write_page

    folder = tmp_path_factory.mktemp("explored")
    write_page(folder, folder / "index.html")
    return folder


@pytest.fixture(scope="module")
def explorer_path(explored, tmp_path_factory):
    """Return the explorer's page alone, but for the scores of seed 0: it is all that it needs."""
    folder = tmp_path_factory.mktemp("alone")
    for experiment in ("coarsest", "finest"):
        shutil.copy(
            explored / f"hearts-runs/{experiment}-0-0/per_slice.parquet", folder / experiment
        )
    return Path(shutil.copy(explored / "index.html", folder))


@pytest.fixture(scope="module")
def explorer_window(chromium, explorer_path):
    """Yield the explorer in a browser; it loads nothing but itself."""
    import browser

    with browser.shown(chromium, explorer_path) as made:
        yield made.open()
        assert {url.partition("#")[0] for url in made.requests} == {explorer_path.as_uri()}


@pytest.fixture
def explorer(explorer_window):
    """Show the page as it opens; whatever a test does, it loads and complains of nothing."""
    assert explorer_window.complaints == []
    before = len(explorer_window.requests)
    yield explorer_window.go()
    explorer_window.settled()
    assert explorer_window.requests[before:] == []
    assert explorer_window.complaints == []
    assert not explorer_window.page.is_visible("#trouble")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the whole runs of the workflow: the longest file, which one process works off."""
    items.sort(key=lambda item: item.path.name != "test_workflow.py")

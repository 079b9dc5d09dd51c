"""The parts of the slice explorer's page that are not Python: its template, script and style."""

from __future__ import annotations

import hashlib
from pathlib import Path

from slicewise.sources import digest

PARTS = Path(__file__).parents[2] / "report" / "explorer"


def page_digest() -> str:
    """Return a digest of the script that writes the page, and of the page's own parts."""
    content = hashlib.sha256(digest("explore_slices").encode())
    for path in sorted(PARTS.iterdir()):
        content.update(path.name.encode() + path.read_bytes())
    return content.hexdigest()[:16]

"""Which package modules a rule's script uses, so that a rule reruns when one of them changes.

Snakemake follows the script file itself but not what it imports.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
WITHOUT_EFFECT = {"job"}
"""Modules that no result depends on: they only log."""


@cache
def _tree(path: Path) -> ast.Module:
    """Return what a file does: its syntax tree without comments, layout and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_text(line)]
    return tree


def _is_text(line: ast.stmt) -> bool:
    """Say whether a statement is nothing but a string."""
    constant = line.value if isinstance(line, ast.Expr) else None
    return isinstance(constant, ast.Constant) and isinstance(constant.value, str)


def _imported(path: Path) -> set[str]:
    """Return the package modules that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            top, _, module = node.module.partition(".")
            if top == PACKAGE.name:
                found |= {module.split(".")[0]} if module else {name.name for name in node.names}
    return {name for name in found if (PACKAGE / f"{name}.py").exists()} - WITHOUT_EFFECT


@cache
def modules(script: str) -> tuple[str, ...]:
    """Return the names of all package modules behind a rule's script, sorted."""
    waiting, found = [PACKAGE.parent / f"{script}.py"], set()
    while waiting:
        new = _imported(waiting.pop()) - found
        found |= new
        waiting += [PACKAGE / f"{name}.py" for name in new]
    return tuple(sorted(found))


@cache
def digest(script: str) -> str:
    """Return a digest of a rule's script and of the modules behind it.

    Comments, layout and docstrings do not count.
    """
    content = hashlib.sha256(ast.dump(_tree(PACKAGE.parent / f"{script}.py")).encode())
    for name in modules(script):
        content.update(f"{name} {ast.dump(_tree(PACKAGE / f'{name}.py'))}".encode())
    return content.hexdigest()[:16]

"""Which package modules a rule's script uses, so that a rule reruns when one of them changes.

Snakemake follows the script file itself but not what it imports.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
WITHOUT_EFFECT = {
    *("job", "launch", "locks", "machine", "problems", "scan_checks", "sources", "stopping")
}
"""Modules that no number depends on: they log, keep runs apart, heed signals, say why files are
refused, or tell code apart. A dataset that was found good is not trained on again because a check
is put in other words."""


@cache
def _tree(path: Path) -> ast.Module:
    """Return what a file does: its syntax tree without comments, layout and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in [tree, *_statements(tree)]:
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_text(line)]
    return tree


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements within a node, those within them too, but no expressions."""
    for field in ("body", "handlers", "orelse", "finalbody", "cases"):
        inner = getattr(node, field, None)
        # The body of a lambda is an expression, that of all others a list.
        for line in inner if isinstance(inner, list) else ():
            yield line
            yield from _statements(line)


def _is_text(line: ast.stmt) -> bool:
    """Say whether a statement is nothing but a string."""
    constant = line.value if isinstance(line, ast.Expr) else None
    return isinstance(constant, ast.Constant) and isinstance(constant.value, str)


def _imported(path: Path) -> set[str]:
    """Return the package modules that a file imports, at its top or inside a function."""
    found = set()
    for node in _statements(_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            top, _, module = node.module.partition(".")
            if top == PACKAGE.name:
                found |= {module.split(".")[0]} if module else {name.name for name in node.names}
    return {name for name in found if (PACKAGE / f"{name}.py").exists()} - WITHOUT_EFFECT


@cache
def _file_digest(path: Path) -> bytes:
    """Return a digest of what one file does; most modules stand behind several scripts."""
    return hashlib.sha256(ast.dump(_tree(path)).encode()).digest()


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
    content = hashlib.sha256(_file_digest(PACKAGE.parent / f"{script}.py"))
    for name in modules(script):
        content.update(name.encode() + _file_digest(PACKAGE / f"{name}.py"))
    return content.hexdigest()[:16]

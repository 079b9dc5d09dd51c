"""What is wrong with a user's files: each problem with where it is and how to mend it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

ERROR, WARNING = "error", "warning"
"""An error makes training impossible and stops the run, a warning does not."""

SHOWN = 40
"""Problems that a message lists, errors first; a table has all of them."""


@dataclass(frozen=True)
class Problem:
    """One problem of a dataset, a plan, a checkpoint or a config, in words.

    severity: error or warning; case: its name, empty for what is not of one case; file: where it
    is; found and expected: what is there and what should be; mend: what to do about it.
    """

    severity: str
    case: str
    file: str
    found: str
    expected: str
    mend: str = ""

    def __str__(self) -> str:
        case = f"case {self.case}: " if self.case else ""
        mend = f"; {self.mend}" if self.mend else ""
        return visible(f"{case}{self.file}: found {self.found}, expected {self.expected}{mend}")


COLUMNS = [field.name for field in fields(Problem)]
"""The columns of a table of problems."""


def visible(text: str) -> str:
    """Return a text with what cannot be seen, or would act on a terminal, written out."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def counted(problems: Sequence[Problem]) -> str:
    """Return how many errors and warnings there are, in words."""
    errors = len(errors_of(problems))
    numbers = {ERROR: errors, WARNING: len(problems) - errors}
    return " and ".join(f"{n} {kind}{'s' * (n != 1)}" for kind, n in numbers.items())


def errors_of(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems that stop a run."""
    return [problem for problem in problems if problem.severity == ERROR]


def refuse_errors(problems: Iterable[Problem], about: str = "") -> None:
    """Raise BadInput with the errors among problems, if there are any; for `about` see `listed`."""
    if errors := errors_of(problems):
        raise BadInput(errors, about)


class BadInput(ValueError):
    """Files that cannot be worked with, for reasons that their owner can mend."""

    def __init__(self, problems: Problem | Sequence[Problem], about: str = ""):
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__(listed(self.problems, about))


def wrong(file: str | Path, found: str, expected: str, mend: str = "", case: str = "") -> Problem:
    """Return a problem that makes it impossible to go on."""
    return Problem(ERROR, case, str(file), found, expected, mend)


def error(case: str, file: str | Path, found: str, expected: str, mend: str = "") -> BadInput:
    """Return the exception to raise for one problem that makes it impossible to go on."""
    return BadInput(wrong(file, found, expected, mend, case))


def listed(problems: Sequence[Problem], about: str = "") -> str:
    """Return problems in words: one as a sentence, several a line each, errors first.

    `about` says what they are of; it stands before them.
    """
    if len(problems) == 1 and not about:
        return str(problems[0])
    ordered = sorted(problems, key=lambda problem: problem.severity != ERROR)
    lines = [f"  {problem.severity}: {problem}" for problem in ordered[:SHOWN]]
    if len(ordered) > SHOWN:
        lines.append(f"  and {len(ordered) - SHOWN} more")
    return "\n".join([about or f"{len(problems)} problems", *lines])


def read_tables(paths: Iterable[str | Path]) -> list[Problem]:
    """Return the problems in tables with the columns COLUMNS, one table after the other."""
    found = []
    for path in paths:
        with Path(path).open(encoding="utf-8", newline="") as file:
            found += [Problem(**row) for row in csv.DictReader(file)]
    return found


def rows(problems: Iterable[Problem]) -> list[tuple[str, ...]]:
    """Return the rows of a table of problems, under COLUMNS."""
    return [tuple(map(visible, astuple(problem))) for problem in problems]

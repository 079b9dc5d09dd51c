"""Say what is wrong with the scans of all datasets, and fail where an error is among it."""

from slicewise.job import logger, run
from slicewise.problems import errors_of, listed, read_tables, refuse_errors


def main(*, validations):
    """Log all problems in the tables; raises BadInput with the errors, if there are any."""
    problems = read_tables(validations)
    about = f"{len(errors_of(problems))} errors in {', '.join(validations)}:"
    refuse_errors(problems, about)
    logger.info(listed(problems, "no errors, but warnings:") if problems else "no problems")


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821

"""Say what is wrong with the scans of all datasets, and fail where an error is among it."""

from slicewise.job import logger, run
from slicewise.problems import BadInput, counted, errors_of, listed, read_tables


def main(*, validations):
    """Log all problems in the tables; raises BadInput with them where one is an error."""
    problems = read_tables(validations)
    about = f"{counted(problems)} in {', '.join(map(str, validations))}"
    if errors_of(problems):
        raise BadInput(problems, about)
    logger.info(listed(problems, about))


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821

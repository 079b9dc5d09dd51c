"""Whether a run that ended well has made what it was asked for."""

from __future__ import annotations

from typing import Any

SHOWN = 5
"""Files that a message lists."""


def left_out(workflow: Any) -> str:
    """Return what a workflow of Snakemake's was asked for and left out, in a sentence, if anything.

    Snakemake 9.27 forgets jobs: of one that has to run it takes for granted that it leads to all
    jobs behind it, and then does not go on from it across a file that is ancient() and there
    (dag.py, update_needrun). Where a target lies behind such a file alone, nobody asks for what
    that target misses; the run ends as if all were done. A next run makes it.
    Asks nothing of a run that was told to do a part only.
    """
    dag = workflow.dag
    parts = (dag.untilrules, dag.untilfiles, dag.omitrules, dag.omitfiles, dag.batch)
    if any(parts) or workflow.touch or workflow.remote_execution_settings.immediate_submit:
        return ""
    missing = sorted(workflow.async_run(_absent(dag)))
    if not missing:
        return ""
    more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
    return (
        f"the run has ended without {', '.join(missing[:SHOWN])}{more}: Snakemake lost sight of "
        "them. Give the same command again, which goes on from here"
    )


async def _absent(dag: Any) -> set[str]:
    """Return the files that the targets of a DAG name or consist of and that are not there."""
    asked = set()
    for job in dag.targetjobs:
        if not job.output:
            asked.update(file for file in job.input if "checkpoint_target" not in file.flags)
        elif job.rule in dag.targetrules:
            asked.update(job.output)
        else:
            asked.update(file for file in job.output if file in dag.targetfiles)
    return {str(file) for file in asked if "temp" not in file.flags and not await file.exists()}

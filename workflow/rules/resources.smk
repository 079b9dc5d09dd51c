"""What the jobs of a rule ask of a cluster, estimated in slicewise.resources from what is there.

Locally nothing is held back by it, unless `--resources mem_mb=...` says how much there is.
"""

from functools import cache

from snakemake.common.tbdstring import TBDString

from slicewise import plans, resources


def asked(estimate, amount: str):
    """Return a resource function: the `amount`, mem_mb or runtime, that an estimate comes to.

    Until a job's inputs are there it is far from being started, and the amount is to be determined:
    Snakemake asks again when they are complete. A job that is started must ask for a number, even
    where someone has deleted what else an estimate looks at. Of a file that cannot be read the job
    itself will say what is wrong with it.
    """

    def of_job(wildcards, input, attempt):
        try:
            need = estimate(wildcards, input)
        except FileNotFoundError:
            if not all(Path(path).exists() for path in input):
                return TBDString()
            need = resources.UNSEEN
        except (ValueError, KeyError):
            need = resources.Need(0)
        return getattr(need, amount)(attempt)

    return of_job


def memory(estimate):
    """Return a resource function: the memory in MB that an estimate comes to."""
    return asked(estimate, "mem_mb")


def minutes(estimate):
    """Return a resource function: the minutes that an estimate comes to."""
    return asked(estimate, "runtime")


def gpus(wildcards) -> int:
    """Return how many GPUs a prediction with the wildcards' experiment asks for: one or none."""
    return int(resources.on_gpu(section("training")(wildcards)))


def training_gpus(wildcards) -> int:
    """Return how many GPUs a training of the wildcards' experiment asks for."""
    return gpus(wildcards) * section("training", "devices")(wildcards)


def training_cores(wildcards) -> int:
    """Return how many cores a training of the wildcards' experiment asks for."""
    return resources.training_cores(section("training")(wildcards))


def scans(wildcards) -> resources.Scans:
    """Return the grids of the scans of the wildcards' dataset, once they were analysed."""
    return resources.read_scans(f"{RESULTS}/{wildcards.dataset}/spacing.csv")


def sizes_of(wildcards) -> tuple[float, float]:
    """Return the voxels of the largest scan of the wildcards' dataset, and of all held out.

    They are those of the grid that the scans are scored on, which is the finer one.
    """
    voxels = resources.read_scans(f"{RESULTS}/{original(wildcards)}/spacing.csv").voxels()
    return voxels.max(), voxels.sum() / config["cross_validation"]["folds"]


def channels_of(wildcards) -> int:
    """Return how many channels the images of the wildcards' dataset have."""
    return len(DATASETS[wildcards.dataset].source.channel_names)


def outputs_of(wildcards) -> int:
    """Return about how many outputs a network for the wildcards' dataset has.

    Phantoms have no dataset.json before the first job: 4.
    """
    labels, _ = labels_of(wildcards)
    return len(labels) if labels else 4


def plan_of(path: str) -> plans.Plan:
    """Return a plan, once it is there."""
    Path(path).stat()
    return plans.read_plan(path)


@cache
def bytes_of_cases(dataset: str, group: int) -> list[int]:
    """Return the bytes of the files of each case of a group; those of phantoms do not matter.

    Thick slices have those of the thin ones, which are more.
    """
    found = DATASETS[dataset].origin or DATASETS[dataset]
    return [sum(found.sizes([case])) for case in found.groups[group]]


def analysing(wildcards, input):
    """Estimate the analysis of a group of cases."""
    return resources.analysing(bytes_of_cases(wildcards.dataset, int(wildcards.group)))


def merging(wildcards, input):
    """Estimate the fingerprint of a dataset."""
    return resources.merging(sum(Path(path).stat().st_size for path in input.intensities))


def exporting(wildcards, input):
    """Estimate the export of a group of cases."""
    some = scans(wildcards).of(group_cases(wildcards))
    Path(input.preprocessing).stat()
    preparation = plans.read_preparation(input.preprocessing)
    return resources.exporting(some, preparation, channels_of(wildcards))


def training(wildcards, input):
    """Estimate the training of a network."""
    settings = section("training")(wildcards)
    return resources.training(
        plan_of(input.plan), settings, channels_of(wildcards), outputs_of(wildcards)
    )


def predicting(wildcards, input):
    """Estimate a prediction: of the cases of a fold, or of new images by all networks."""
    plan, known = plan_of(input.plan), scans(wildcards)
    exported = known.exported(plan.preparation)
    largest = max(known.voxels().max(), exported.max())
    total = exported.sum() / config["cross_validation"]["folds"]
    if "fold" not in wildcards.keys():  # new images: as large as those that were trained on
        total = exported.mean() * len(new_images(wildcards))
    return resources.predicting(
        plan,
        (largest, total),
        section("training")(wildcards),
        section("inference")(wildcards),
        outputs_of(wildcards),
        len(input.checkpoints),
    )


def fusing(wildcards, input):
    """Estimate a mean of probabilities."""
    return resources.fusing(*sizes_of(wildcards), outputs_of(wildcards), len(input.members))


def scoring(wildcards, input):
    """Estimate the scores of a fold."""
    return resources.scoring(*sizes_of(wildcards), outputs_of(wildcards))


def scoring_all(wildcards, input):
    """Estimate the scores of all folds and seeds."""
    largest, total = sizes_of(wildcards)
    runs = len(input.predictions)
    return resources.scoring(largest, total * runs, outputs_of(wildcards))


def drawing(wildcards, input):
    """Estimate a figure that is drawn from tables."""
    return resources.drawing(resources.table_bytes(input))


def drawing_scans(wildcards, input):
    """Estimate a figure that shows scans."""
    return resources.drawing_scans(resources.table_bytes(input), sizes_of(wildcards)[0])


def exploring(wildcards, input):
    """Estimate the slice explorer: all scores, and the scans of all datasets one at a time."""
    tables = [f"{RESULTS}/{name}/spacing.csv" for name in SHOWN]
    voxels = [resources.read_scans(path).voxels() for path in tables]
    runs = len(input.predictions) // max(len(voxels), 1)
    return resources.exploring(resources.table_bytes(input.per_slice), voxels, runs)


def making_phantoms(wildcards, input):
    """Estimate the making of a group of phantoms."""
    return resources.making_phantoms(len(group_cases(wildcards)))


def thickening(wildcards, input):
    """Estimate the making of thick slices."""
    return resources.thickening(bytes_of_cases(wildcards.dataset, int(wildcards.group)))


def unpacking(wildcards, input):
    """Estimate the unpacking of an archive.

    One from a bucket comes only when Snakemake has settled what the job asks for.
    """
    if input.archive.is_storage:
        return resources.unpacking(resources.ARCHIVE_BYTES)
    return resources.unpacking(Path(input.archive).stat().st_size)


def moving_weights(wildcards, input):
    """Estimate what reads and writes checkpoints."""
    return resources.WEIGHTS


def measuring(wildcards, input):
    """Estimate the measurement of what samples cost to read."""
    return resources.READING

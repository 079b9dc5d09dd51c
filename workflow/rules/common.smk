"""The config, held against its schema, and what the stages ask of it: cases, groups and keys."""

from snakemake.exceptions import WorkflowError

if workflow.storage_settings.default_storage_provider:
    raise WorkflowError(
        "--default-storage-provider: found one, expected none: results hold files that are no "
        "outputs and would not be copied to it, such as arrays that are read slice by slice and "
        "checkpoints to go on from; put them on a volume that all jobs share, as "
        "workflow/profiles/kubernetes does"
    )

from slicewise import archives, inputs, locks, model_folders, overview, page_parts
from slicewise import runs, sources, studies
from slicewise.config import complete, validated
from slicewise.unpacked import Datasets

# The name that another workflow takes slicewise in by; the config is then a part of that one's.
MODULE = None if workflow.modifier.is_main_snakefile() else workflow.modifier.namespace
if workflow.modifier.path_modifier.prefix or workflow.modifier.path_modifier.modifies_prefixes:
    raise WorkflowError(
        f"module {MODULE}: found a prefix, expected none, as it would move the paths of your scans "
        "too; give `results` in the config of the module"
    )

try:
    asked = workflow.config_settings
    given = validated(config, *([] if MODULE else [asked.configfiles, asked.config]))
    config.update(complete(given))
    DATASETS = Datasets(config, inputs.open_inputs(config), lambda name: unpacked(name))
except ValueError as error:
    raise WorkflowError(f"module {MODULE}: {error}" if MODULE else str(error)) from None

RESULTS = config["results"]
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"
PHANTOMS = [name for name, kind in config["datasets"].items() if "phantom" in kind]
THICK = [name for name, kind in config["datasets"].items() if "thicken" in kind]
ARCHIVES = [name for name, kind in config["datasets"].items() if "archive" in kind]
EXPERIMENTS = list(config["experiments"])
ENSEMBLES = config["ensembles"]
# What predicts, is scored and compared: networks of an experiment, or several experiments fused.
MODELS = [*EXPERIMENTS, *ENSEMBLES]
MEMBERS = sorted({member for members in ENSEMBLES.values() for member in members})
EXPERIMENT_FOLDER = f"{RESULTS}/{{dataset}}/{{experiment}}"
UNPACKED = f"{RESULTS}/{{dataset}}/raw"
MADE_PHANTOMS = f"{RESULTS}/{{dataset}}/phantoms/group-{{group}}.json"
MADE_THICK = f"{RESULTS}/{{dataset}}/thick/group-{{group}}.json"
DOWNLOADED = f"{RESULTS}/{{dataset}}/raw.download"
FOLD_FOLDER = f"{EXPERIMENT_FOLDER}/fold-{{fold}}_seed-{{seed}}"
PREDICTIONS = f"{FOLD_FOLDER}/predictions"
PREDICTED = f"{EXPERIMENT_FOLDER}/predicted"
POSTPROCESSING = f"{EXPERIMENT_FOLDER}/postprocessing.json"


# Two runs in one folder of results would each delete what the other has begun.
ABOUT = overview.of_run(MODULE, config, DATASETS, studies.missing(given["datasets"]))
workflow.execute = locks.one_at_a_time(workflow, RESULTS, ABOUT)


def one_of(names) -> str:
    """Return a wildcard constraint: any of some names, nothing if there are none."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    dataset=one_of(DATASETS),
    experiment=one_of(EXPERIMENTS),
    key=r"[A-Za-z0-9_-]+",
    group=r"\d+",
    fold=r"\d+",
    seed=r"\d+",


# Where the report shows an output, in the order in which it lists these.
DATA, METHODS, PROVENANCE, SCORES, EXPLORER, STUDY, TRAINING_CURVES = (
    "Data and plan",
    "Methods",
    "Provenance",
    "Scores",
    "Slice explorer",
    "Study {study}",
    "Training",
)


def reported(path: str, caption: str, category: str, shows: str, file="figure", of="{dataset}"):
    """Return an output that the report shows: under its category, then under its dataset.

    caption: of workflow/report, without .rst; shows: what can be seen, in a word or two; file: what
    it is, figure, table, LaTeX or text, between which the report lets readers choose; of: its
    dataset, or None for an output of the whole run.
    """
    return report(
        path,
        caption=f"../report/{caption}.rst",
        category=f"{category} of {MODULE}" if MODULE else category,
        subcategory=of,
        labels={"shows": shows, "file": file},
    )


def drawn(name: str, caption: str, category: str, shows: str) -> dict:
    """Return the outputs of a rule that draws a figure, in three formats, and its table.

    name: of the files, behind that of the dataset; the rest is as for `reported`.
    """
    figure, in_report = f"{RESULTS}/figures/{{dataset}}_{name}", (caption, category, shows)
    return {
        "svg": reported(f"{figure}.svg", *in_report),
        "png": f"{figure}.png",
        "pdf": f"{figure}.pdf",
        "table": reported(f"{RESULTS}/tables/{{dataset}}_{name}.csv", *in_report, file="table"),
    }


def digest(script: str):
    """Return a params function: the digest of a rule's script, looked at for rules with jobs only."""
    return lambda wildcards: sources.digest(script)


def section(name: str, key: str | None = None):
    """Return a params function: a section of the wildcards' experiment, or one key of it."""

    def of_experiment(wildcards):
        found = config["experiments"][wildcards.experiment][name]
        return found[key] if key else found

    return of_experiment


def inference(wildcards) -> dict:
    """Return how the wildcards' experiment predicts, but for what it reads and what it keeps."""
    apart = ("images", "save_probabilities")
    return {k: value for k, value in section("inference")(wildcards).items() if k not in apart}


def archive(wildcards) -> str:
    """Return the archive of the wildcards' dataset: where it is downloaded, or the user's file.

    What lies in a bucket is fetched by Snakemake's storage plugin for addresses of its kind.
    """
    given = config["datasets"][wildcards.dataset]["archive"]
    if archives.is_on_the_web(given):
        return DOWNLOADED
    return storage(given) if archives.is_address(given) else given


def checksum(wildcards) -> str:
    """Return the checksum of the archive of the wildcards' dataset; its length tells its kind."""
    given = config["datasets"][wildcards.dataset]
    return given.get("sha256") or given["md5"]


def unpacked(name: str) -> str:
    """Return the folder of a dataset's archive, once that is unpacked and its cases are listed."""
    checkpoints.list_archive.get(dataset=name)
    return UNPACKED.format(dataset=name)


def group_cases(wildcards) -> list[str]:
    """Return the names of the cases in a group."""
    return DATASETS[wildcards.dataset].groups[int(wildcards.group)]


def files_of_group(dataset: str, group: str) -> list[str]:
    """Return the image and label files of the cases in a group, as far as they can be read.

    The list of a group that the workflow makes stands for its files.
    """
    for made, names in ((MADE_PHANTOMS, PHANTOMS), (MADE_THICK, THICK)):
        if dataset in names:
            return [made.format(dataset=dataset, group=group)]
    return DATASETS[dataset].files(DATASETS[dataset].groups[int(group)])


def group_files(wildcards) -> list[str]:
    """Return the image and label files of the wildcards' group, as far as they can be read."""
    return files_of_group(wildcards.dataset, wildcards.group)


def thickened(wildcards) -> dict | None:
    """Return how the slices of the wildcards' dataset are made of others', if they are."""
    return config["datasets"][wildcards.dataset].get("thicken")


def original(wildcards) -> str:
    """Return the dataset on whose grid the wildcards' one is scored: that with the thin slices."""
    return (thickened(wildcards) or {"of": wildcards.dataset})["of"]


def of_original(pattern: str):
    """Return an input function: `pattern` filled for the dataset that scores are taken on."""
    return lambda wildcards: pattern.format(**{**wildcards, "dataset": original(wildcards)})


def of_groups(pattern: str):
    """Return an input function: `pattern` filled for every group of the wildcards' dataset."""
    return lambda wildcards: expand(
        pattern, group=DATASETS[wildcards.dataset].groups, allow_missing=True
    )


def dataset_json(wildcards) -> str:
    """Return the dataset.json of the wildcards' dataset."""
    return str(DATASETS[wildcards.dataset].json_path)


def original_json(wildcards) -> str:
    """Return the dataset.json of the dataset on whose grid the wildcards' one is scored."""
    return str(DATASETS[original(wildcards)].json_path)


def labels_of(wildcards) -> list:
    """Return what the dataset.json of the wildcards' dataset says of labels, once there is one."""
    content = DATASETS[wildcards.dataset].source.content
    return [content.get("labels"), content.get("regions_class_order")]


def given_splits(wildcards) -> list[str]:
    """Return the folds that the user brings with the wildcards' dataset, if any.

    Thick slices have those of the thin ones.
    """
    path = DATASETS[original(wildcards)].json_path.with_name("splits_final.json")
    return [str(path)] if path.exists() else []


def arrays_folder(dataset: str, experiment: str) -> str:
    """Return the folder of the arrays that an experiment trains on."""
    planning = config["experiments"][experiment]["planning"]
    return f"{RESULTS}/{dataset}/arrays/{runs.arrays_key(planning, config['preprocessing'])}"


def manifests(dataset: str, experiment: str) -> list[str]:
    """Return the manifests of all arrays that an experiment trains on."""
    folder = arrays_folder(dataset, experiment)
    return [f"{folder}/group-{group}.manifest.json" for group in DATASETS[dataset].groups]


def arrays(wildcards) -> str:
    """Return the folder of the arrays of the wildcards' experiment."""
    return arrays_folder(wildcards.dataset, wildcards.experiment)


def exported(wildcards) -> list[str]:
    """Return the manifests of the arrays of the wildcards' experiment."""
    return manifests(wildcards.dataset, wildcards.experiment)


def planning_of(key: str, name: str):
    """Return a value of the planning section that the experiments of an arrays key share."""
    return next(
        experiment["planning"][name]
        for experiment in config["experiments"].values()
        if runs.arrays_key(experiment["planning"], config["preprocessing"]) == key
    )


def saves_probabilities(experiment: str) -> bool:
    """Say whether an experiment keeps its probabilities, beside its predictions."""
    return config["experiments"][experiment]["inference"]["save_probabilities"]


def of_members(kept: str, temporary: str):
    """Return an input function: where the members of the wildcards' ensemble leave probabilities.

    Of a member that saves them that is the folder `kept`, else `temporary`.
    """

    def folders(wildcards):
        return [
            (kept if saves_probabilities(member) else temporary).format(
                **{**wildcards, "experiment": member}
            )
            for member in ENSEMBLES[wildcards.experiment]
        ]

    return folders


def decided_postprocessing(wildcards) -> str | list:
    """Return the postprocessing.json to apply to new images, or nothing.

    There is none for networks that were trained on every case: nothing is held out to decide it on.
    """
    members = ENSEMBLES.get(wildcards.experiment, [wildcards.experiment])
    folds = [config["experiments"][member]["model"]["fold"] for member in members]
    wanted = config["postprocessing"]["largest_component"] == "auto"
    return POSTPROCESSING.format(**wildcards) if wanted and model_folders.ALL not in folds else []


def images_folder(wildcards) -> str:
    """Return the folder of new images of the wildcards' experiment, or an ensemble's members."""
    member = ENSEMBLES.get(wildcards.experiment, [wildcards.experiment])[0]
    folder = config["experiments"][member]["inference"]["images"]
    if folder is None:
        raise WorkflowError("inference.images: found null, expected a folder of new images")
    return folder


def new_images(wildcards) -> list[str]:
    """Return the files in the folder of new images of an experiment or an ensemble.

    One that is missing is named by the job that would read it.
    """
    try:
        return inputs.new_images(DATASETS[wildcards.dataset], images_folder(wildcards))
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def predict_command(experiment: str, dataset: str) -> str:
    """Return the command that predicts new images with an experiment or an ensemble."""
    given = workflow.config_settings
    target = PREDICTED.format(dataset=dataset, experiment=experiment)
    # Where in its config a workflow keeps that of a module is known to itself alone.
    changed = given.config if MODULE else runs.with_new_images(given.config)
    return runs.predict_command(target, given.configfiles, changed, workflow.main_snakefile)

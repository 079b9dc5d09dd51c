"""What provenance and methods are of: the runs of all studies, their plans and their files."""

CHECKSUMS = f"{RESULTS}/{{dataset}}/checksums/group-{{group}}.sha256"
# Scripts whose code decides on what is recorded, and on the numbers that are told of it.
RECORDED_RULES = (
    "make_phantoms",
    "thicken_cases",
    "merge_fingerprint",
    "split_folds",
    "plan_arrays",
    "plan_network",
    "export_cases",
    "train_fold",
    "predict_cases",
    "fuse_cases",
    "evaluate_fold",
    "decide_postprocessing",
    "score_ceiling",
    "locate_errors",
    "compare_experiments",
    "rank_experiments",
    "compare_patch_sizes",
    "compare_anisotropy",
)


def recorded_config() -> dict:
    """Return the config without what changes no score: how work is cut into jobs, and shown."""
    kept = {name: part for name, part in config.items() if name not in ("execution", "report")}

    def without_running(training: dict) -> dict:
        return {key: value for key, value in training.items() if key not in RUNNING}

    kept["training"] = without_running(config["training"])
    kept["experiments"] = {
        name: {**experiment, "training": without_running(experiment["training"])}
        for name, experiment in config["experiments"].items()
    }
    return kept


def all_runs() -> list[tuple]:
    """Return dataset, experiment or ensemble, fold and seed of all that is scored."""
    return [
        (dataset, model, fold, seed)
        for dataset in SCORED
        for model in models_of(dataset)
        for fold, seed in runs_of(dataset, model)
    ]


def each_of(pattern: str, runs) -> list[str]:
    """Return `pattern` for each of some runs, each path once."""
    names = ("dataset", "experiment", "fold", "seed")
    return list(dict.fromkeys(pattern.format(**dict(zip(names, each))) for each in runs))


def recorded_files(wildcards) -> list[str]:
    """Return the outputs whose checksums are recorded: folds, plans, networks and scores."""
    runs = all_runs()
    planned = [each for each in runs if each[1] in EXPERIMENTS]
    return [
        *each_of(rules.merge_fingerprint.output.fingerprint, runs),
        *each_of(rules.split_folds.output.splits, runs),
        *each_of(rules.plan_network.output.plan, planned),
        *each_of(rules.train_fold.output.checkpoint, planned),
        *each_of(rules.evaluate_fold.output.per_case, runs),
        *each_of(rules.evaluate_fold.output.per_slice, runs),
        *each_of(POSTPROCESSING, [each for each in runs if each[0] in SHOWN]),
    ]


def hashed_groups() -> list[tuple]:
    """Return dataset and group of all input files; thickened scans are made of others'."""
    own = [name for name in STUDIED if "thicken" not in config["datasets"][name]]
    return [(name, group) for name in own for group in DATASETS[name].groups]


def planned_pairs() -> list[tuple]:
    """Return dataset and experiment of every plan."""
    return [(dataset, name) for dataset in STUDIED for name in experiments_of(dataset)]


def decided_pairs() -> list[tuple]:
    """Return dataset and experiment or ensemble of every postprocessing.json."""
    return [(dataset, name) for dataset in SHOWN for name in models_of(dataset)]

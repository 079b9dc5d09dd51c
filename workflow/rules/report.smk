"""What stands beside the figures: where results come from, methods in words, every slice."""

CHECKSUMS = f"{RESULTS}/{{dataset}}/checksums/group-{{group}}.sha256"
# Rules whose outputs are recorded, which their code decides on.
RECORDED_RULES = (
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
)


rule hash_cases:
    input:
        group_files,
        dataset_json=ancient(dataset_json),
    output:
        checksums=CHECKSUMS,
    log:
        f"{LOGS}/hash_cases/{{dataset}}/group-{{group}}.log",
    benchmark:
        f"{BENCHMARKS}/hash_cases/{{dataset}}/group-{{group}}.tsv"
    resources:
        mem_mb=memory(analysing),
        runtime=minutes(analysing),
    params:
        cases=group_cases,
        sizes=lambda w: DATASETS[w.dataset].sizes(group_cases(w)),
        code=digest("hash_cases"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: checksums of group {wildcards.group}"
    script:
        "../scripts/hash_cases.py"


def recorded_config() -> dict:
    """Return the config without what changes no result: how work is cut into jobs, and goes on."""
    kept = {name: part for name, part in config.items() if name != "execution"}

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


rule record_provenance:
    input:
        checksums=lambda w: [CHECKSUMS.format(dataset=d, group=g) for d, g in hashed_groups()],
        made=recorded_files,
    output:
        provenance=reported(
            f"{RESULTS}/report/provenance.json",
            "provenance",
            PROVENANCE,
            "provenance",
            "text",
            None,
        ),
    log:
        f"{LOGS}/record_provenance.log",
    localrule: True
    params:
        datasets=lambda w: [name for name, _ in hashed_groups()],
        results=RESULTS,
        config=recorded_config(),
        runs=all_runs(),
        scripts=lambda w: {name: sources.digest(name) for name in RECORDED_RULES},
        logs=each_of(rules.train_fold.log[0], all_runs()),
        reference=getattr(workflow.current_basedir, "ref", None),
        code=digest("record_provenance"),
    conda:
        "../../envs/torch.yaml"
    message:
        "Recording versions, config and checksums"
    script:
        "../scripts/record_provenance.py"


def planned_pairs() -> list[tuple]:
    """Return dataset and experiment of every plan."""
    return [(dataset, name) for dataset in STUDIED for name in experiments_of(dataset)]


def decided_pairs() -> list[tuple]:
    """Return dataset and experiment or ensemble of every postprocessing.json."""
    return [(dataset, name) for dataset in SHOWN for name in models_of(dataset)]


rule write_methods:
    input:
        provenance=rules.record_provenance.output.provenance,
        dataset_json=lambda w: [str(DATASETS[name].json_path) for name in STUDIED],
        spacing=expand(rules.merge_fingerprint.output.spacing, dataset=STUDIED),
        orientation=expand(rules.merge_fingerprint.output.orientation, dataset=STUDIED),
        validation=expand(f"{RESULTS}/{{dataset}}/validation.csv", dataset=STUDIED),
        splits=expand(rules.split_folds.output.splits, dataset=STUDIED),
        plans=each_of(rules.plan_network.output.plan, planned_pairs()),
        postprocessing=each_of(POSTPROCESSING, decided_pairs()),
    output:
        methods=reported(
            f"{RESULTS}/report/methods.md", "methods", METHODS, "methods", "text", None
        ),
        latex=reported(
            f"{RESULTS}/report/methods.tex", "methods", METHODS, "methods", "LaTeX", None
        ),
        page=reported(f"{RESULTS}/report/methods.html", "methods", METHODS, "methods", "page", None),
    log:
        f"{LOGS}/write_methods.log",
    localrule: True
    params:
        datasets=STUDIED,
        given_splits=lambda w: [
            DATASETS[name].json_path.with_name("splits_final.json").exists() for name in STUDIED
        ],
        planned=planned_pairs(),
        decided=decided_pairs(),
        code=digest("write_methods"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "Writing the methods"
    script:
        "../scripts/write_methods.py"


rule explore_slices:
    input:
        dataset_json=lambda w: [str(DATASETS[name].json_path) for name in SHOWN],
        per_slice=of_shown_runs(rules.evaluate_fold.output.per_slice_parquet),
        predictions=of_shown_runs(PREDICTIONS),
    output:
        page=reported(
            f"{RESULTS}/report/index.html", "explorer", EXPLORER, "every slice", "page", None
        ),
    log:
        f"{LOGS}/explore_slices.log",
    benchmark:
        f"{BENCHMARKS}/explore_slices.tsv"
    resources:
        mem_mb=memory(exploring),
        runtime=minutes(exploring),
    params:
        datasets=SHOWN,
        runs=shown_runs,
        margin_mm=lookup(within=config, dpath="report/margin_mm"),
        image_edge=lookup(within=config, dpath="report/image_edge"),
        page_mb=lookup(within=config, dpath="report/page_mb"),
        code=lambda w: sources.explorer_digest(),
    conda:
        "../../envs/explorer.yaml"
    message:
        "Packing every slice into one page"
    script:
        "../scripts/explore_slices.py"

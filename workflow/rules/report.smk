"""What stands beside the figures: where results come from, methods in words, every slice."""


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
        results=subpath(output.provenance, ancestor=2),
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
        code=lambda w: page_parts.page_digest(),
    conda:
        "../../envs/explorer.yaml"
    message:
        "Packing every slice into one page"
    script:
        "../scripts/explore_slices.py"

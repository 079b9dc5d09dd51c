"""Evaluation: every slice and every case of the validation folds, in mm on the input's grid.

Then what follows from all folds of an experiment: post-processing, and the best configuration.
"""


rule evaluate_fold:
    input:
        # Thick slices are scored on the grid of the thin ones, against their labels.
        dataset_json=original_json,
        splits=rules.split_folds.output.splits,
        fingerprint=of_original(rules.merge_fingerprint.output.fingerprint),
        orientation=of_original(rules.merge_fingerprint.output.orientation),
        predictions=PREDICTIONS,
    output:
        per_slice=f"{FOLD_FOLDER}/per_slice.csv",
        per_slice_parquet=f"{FOLD_FOLDER}/per_slice.parquet",
        per_case=f"{FOLD_FOLDER}/per_case.csv",
        summary=f"{FOLD_FOLDER}/summary.json",
    log:
        f"{LOGS}/evaluate_fold/{{dataset}}/{{experiment}}/fold-{{fold}}_seed-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/evaluate_fold/{{dataset}}/{{experiment}}/fold-{{fold}}_seed-{{seed}}.tsv"
    wildcard_constraints:
        experiment=one_of(MODELS),
    resources:
        mem_mb=memory(scoring),
        runtime=minutes(scoring),
    params:
        dataset="{dataset}",
        experiment="{experiment}",
        fold="{fold}",
        seed="{seed}",
        slice_axis=lookup(within=config, dpath="evaluation/slice_axis"),
        slices=lookup(within=config, dpath="evaluation/slices"),
        surface_tolerance_mm=lookup(within=config, dpath="evaluation/surface_tolerance_mm"),
        thickened=thickened,
        code=digest("evaluate_fold"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: scoring {wildcards.experiment}, fold {wildcards.fold}, seed {wildcards.seed}"
    script:
        "../scripts/evaluate_fold.py"


# What the labels of thick slices themselves score on the thin ones.
rule score_ceiling:
    input:
        of_groups(rules.thicken_cases.output.made),
        dataset_json=original_json,
        fingerprint=of_original(rules.merge_fingerprint.output.fingerprint),
        orientation=of_original(rules.merge_fingerprint.output.orientation),
    output:
        ceiling=f"{RESULTS}/{{dataset}}/ceiling.csv",
    log:
        f"{LOGS}/score_ceiling/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/score_ceiling/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(THICK),
    resources:
        mem_mb=memory(scoring),
        runtime=minutes(scoring),
    params:
        dataset="{dataset}",
        cases=lambda w: list(DATASETS[w.dataset].cases),
        thickened=thickened,
        slice_axis=lookup(within=config, dpath="evaluation/slice_axis"),
        slices=lookup(within=config, dpath="evaluation/slices"),
        surface_tolerance_mm=lookup(within=config, dpath="evaluation/surface_tolerance_mm"),
        code=digest("score_ceiling"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: scoring what its labels say of the thin slices"
    script:
        "../scripts/score_ceiling.py"


rule locate_errors:
    input:
        dataset_json=original_json,
        splits=rules.split_folds.output.splits,
        fingerprint=of_original(rules.merge_fingerprint.output.fingerprint),
        orientation=of_original(rules.merge_fingerprint.output.orientation),
        predictions=PREDICTIONS,
    output:
        per_slice=f"{FOLD_FOLDER}/errors_per_slice.parquet",
        per_case=f"{FOLD_FOLDER}/errors_per_case.csv",
    log:
        f"{LOGS}/locate_errors/{{dataset}}/{{experiment}}/fold-{{fold}}_seed-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/locate_errors/{{dataset}}/{{experiment}}/fold-{{fold}}_seed-{{seed}}.tsv"
    wildcard_constraints:
        experiment=one_of(MODELS),
    resources:
        mem_mb=memory(scoring),
        runtime=minutes(scoring),
    params:
        dataset="{dataset}",
        experiment="{experiment}",
        fold="{fold}",
        seed="{seed}",
        slice_axis=lookup(within=config, dpath="evaluation/slice_axis"),
        slices=lookup(within=config, dpath="evaluation/slices"),
        surface_tolerance_mm=lookup(within=config, dpath="evaluation/surface_tolerance_mm"),
        thickened=thickened,
        code=digest("locate_errors"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: errors of {wildcards.experiment}, fold {wildcards.fold}, seed {wildcards.seed}"
    script:
        "../scripts/locate_errors.py"


# Of thick slices on their own grid, which is that of new images; so is the best configuration.
rule decide_postprocessing:
    input:
        dataset_json=dataset_json,
        splits=rules.split_folds.output.splits,
        fingerprint=rules.merge_fingerprint.output.fingerprint,
        orientation=rules.merge_fingerprint.output.orientation,
        predictions=of_runs(PREDICTIONS),
    output:
        postprocessing=POSTPROCESSING,
    log:
        f"{LOGS}/decide_postprocessing/{{dataset}}/{{experiment}}.log",
    benchmark:
        f"{BENCHMARKS}/decide_postprocessing/{{dataset}}/{{experiment}}.tsv"
    wildcard_constraints:
        experiment=one_of(MODELS),
    resources:
        mem_mb=memory(scoring_all),
        runtime=minutes(scoring_all),
    params:
        experiment="{experiment}",
        runs=folds_and_seeds,
        slice_axis=lookup(within=config, dpath="evaluation/slice_axis"),
        slices=lookup(within=config, dpath="evaluation/slices"),
        largest_component=lookup(within=config, dpath="postprocessing/largest_component"),
        code=digest("decide_postprocessing"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: deciding on post-processing of {wildcards.experiment}"
    script:
        "../scripts/decide_postprocessing.py"


rule find_best_configuration:
    input:
        postprocessing=lambda w: [
            POSTPROCESSING.format(dataset=w.dataset, experiment=model)
            for model in compared_models(w.dataset)
        ],
    output:
        best=f"{RESULTS}/{{dataset}}/best_configuration.json",
        table=reported(
            f"{RESULTS}/tables/{{dataset}}_configurations.csv",
            "configurations",
            SCORES,
            "best configuration",
            file="table",
        ),
        tex=f"{RESULTS}/tables/{{dataset}}_configurations.tex",
    log:
        f"{LOGS}/find_best_configuration/{{dataset}}.log",
    localrule: True
    params:
        dataset="{dataset}",
        members=ENSEMBLES,
        commands=lambda w: {
            name: predict_command(name, w.dataset) for name in compared_models(w.dataset)
        },
        code=digest("find_best_configuration"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: finding the best configuration"
    script:
        "../scripts/find_best_configuration.py"


rule evaluate:
    input:
        in_all_runs(rules.evaluate_fold.output),
        expand(rules.find_best_configuration.output, dataset=SHOWN),

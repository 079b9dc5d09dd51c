"""Evaluation: every slice and every case of the validation folds, in mm on the input's grid."""


rule evaluate_fold:
    input:
        dataset_json=dataset_json,
        splits=rules.split_folds.output.splits,
        fingerprint=rules.merge_fingerprint.output.fingerprint,
        orientation=rules.merge_fingerprint.output.orientation,
        predictions=rules.predict_fold.output.predictions,
    output:
        per_slice=f"{FOLD_FOLDER}/per_slice.csv",
        per_case=f"{FOLD_FOLDER}/per_case.csv",
        summary=f"{FOLD_FOLDER}/summary.json",
    log:
        f"{LOGS}/evaluate_fold/{{dataset}}_{{experiment}}_fold-{{fold}}_seed-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/evaluate_fold/{{dataset}}_{{experiment}}_fold-{{fold}}_seed-{{seed}}.tsv"
    params:
        dataset="{dataset}",
        experiment="{experiment}",
        fold="{fold}",
        seed="{seed}",
        slice_axis=lookup(within=config, dpath="evaluation/slice_axis"),
        slices=lookup(within=config, dpath="evaluation/slices"),
        surface_tolerance_mm=lookup(within=config, dpath="evaluation/surface_tolerance_mm"),
        code=digest("evaluate_fold"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: scoring {wildcards.experiment}, fold {wildcards.fold}, seed {wildcards.seed}"
    script:
        "../scripts/evaluate_fold.py"


rule evaluate:
    input:
        expand(
            rules.evaluate_fold.output,
            dataset=DATASETS,
            experiment=EXPERIMENTS,
            fold=FOLDS,
            seed=SEEDS,
        ),

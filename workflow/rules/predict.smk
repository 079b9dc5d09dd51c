"""Prediction: the validation cases of each fold, and new images by all networks together."""


rule predict_fold:
    input:
        exported,
        dataset_json=dataset_json,
        plan=rules.plan_network.output.plan,
        orientation=rules.merge_fingerprint.output.orientation,
        splits=rules.split_folds.output.splits,
        checkpoints=[rules.train_fold.output.checkpoint],
    output:
        predictions=directory(f"{FOLD_FOLDER}/predictions"),
    log:
        f"{LOGS}/predict_fold/{{dataset}}_{{experiment}}_fold-{{fold}}_seed-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/predict_fold/{{dataset}}_{{experiment}}_fold-{{fold}}_seed-{{seed}}.tsv"
    threads: section("training", "threads")
    resources:
        gpu=1,
    params:
        arrays=arrays,
        fold="{fold}",
        inference=inference,
        device=section("training", "device"),
        threads=section("training", "threads"),
        code=digest("predict_cases"),
    conda:
        "../../envs/torch.yaml"
    message:
        "{wildcards.dataset}: predicting {wildcards.experiment}, fold {wildcards.fold}, seed {wildcards.seed}"
    script:
        "../scripts/predict_cases.py"


rule predict_images:
    input:
        new_images,
        dataset_json=dataset_json,
        plan=rules.plan_network.output.plan,
        orientation=rules.merge_fingerprint.output.orientation,
        checkpoints=networks,
    output:
        predictions=directory(f"{RESULTS}/{{dataset}}/{{experiment}}/predicted"),
    log:
        f"{LOGS}/predict_images/{{dataset}}_{{experiment}}.log",
    benchmark:
        f"{BENCHMARKS}/predict_images/{{dataset}}_{{experiment}}.tsv"
    threads: section("training", "threads")
    resources:
        gpu=1,
    params:
        images=section("inference", "images"),
        inference=inference,
        device=section("training", "device"),
        threads=section("training", "threads"),
        code=digest("predict_cases"),
    conda:
        "../../envs/torch.yaml"
    message:
        "{wildcards.dataset}: predicting new images with {wildcards.experiment}"
    script:
        "../scripts/predict_cases.py"


rule predict:
    input:
        expand(rules.predict_images.output, dataset=DATASETS, experiment=EXPERIMENTS),

"""Prediction: the validation cases of each fold, and new images by all networks together."""

# Members of an ensemble that keep no probabilities: theirs go once they are fused.
FUSED_ONLY = [name for name in MEMBERS if not saves_probabilities(name)]


rule predict_fold:
    input:
        exported,
        dataset_json=dataset_json,
        plan=rules.plan_network.output.plan,
        orientation=rules.merge_fingerprint.output.orientation,
        splits=rules.split_folds.output.splits,
        checkpoints=[rules.train_fold.output.checkpoint],
    output:
        predictions=directory(PREDICTIONS),
    log:
        f"{LOGS}/predict_fold/{{dataset}}/{{experiment}}/fold-{{fold}}_seed-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/predict_fold/{{dataset}}/{{experiment}}/fold-{{fold}}_seed-{{seed}}.tsv"
    wildcard_constraints:
        experiment=one_of(name for name in EXPERIMENTS if name not in FUSED_ONLY),
    threads: section("training", "threads")
    resources:
        gpu=gpus,
        mem_mb=memory(predicting),
        runtime=minutes(predicting),
    params:
        arrays=arrays,
        fold="{fold}",
        inference=inference,
        save_probabilities=section("inference", "save_probabilities"),
        device=section("training", "device"),
        deterministic=section("training", "deterministic"),
        threads=section("training", "threads"),
        code=digest("predict_cases"),
    conda:
        "../../envs/torch.yaml"
    message:
        "{wildcards.dataset}: predicting {wildcards.experiment}, fold {wildcards.fold}, seed {wildcards.seed}"
    script:
        "../scripts/predict_cases.py"


use rule predict_fold as predict_member_fold with:
    output:
        predictions=directory(PREDICTIONS),
        probabilities=temp(directory(f"{FOLD_FOLDER}/probabilities")),
    wildcard_constraints:
        experiment=one_of(FUSED_ONLY),


rule predict_images:
    input:
        new_images,
        dataset_json=dataset_json,
        plan=rules.plan_network.output.plan,
        orientation=rules.merge_fingerprint.output.orientation,
        checkpoints=networks,
        postprocessing=decided_postprocessing,
    output:
        predictions=directory(PREDICTED),
    log:
        f"{LOGS}/predict_images/{{dataset}}/{{experiment}}.log",
    benchmark:
        f"{BENCHMARKS}/predict_images/{{dataset}}/{{experiment}}.tsv"
    wildcard_constraints:
        experiment=one_of(name for name in EXPERIMENTS if name not in FUSED_ONLY),
    threads: section("training", "threads")
    resources:
        gpu=gpus,
        mem_mb=memory(predicting),
        runtime=minutes(predicting),
    params:
        images=images_folder,
        inference=inference,
        save_probabilities=section("inference", "save_probabilities"),
        device=section("training", "device"),
        deterministic=section("training", "deterministic"),
        threads=section("training", "threads"),
        code=digest("predict_cases"),
    conda:
        "../../envs/torch.yaml"
    message:
        "{wildcards.dataset}: predicting new images with {wildcards.experiment}"
    script:
        "../scripts/predict_cases.py"


use rule predict_images as predict_member_images with:
    output:
        predictions=directory(PREDICTED),
        probabilities=temp(directory(f"{EXPERIMENT_FOLDER}/predicted_probabilities")),
    wildcard_constraints:
        experiment=one_of(FUSED_ONLY),


rule predict:
    input:
        in_all_experiments([PREDICTED]),

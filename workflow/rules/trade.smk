"""Trade with nnU-Net: its trained models in place of a training here, and ours as its folders."""


rule import_model:
    input:
        model_checkpoint=model_checkpoint,
        model_dataset_json=model_dataset_json,
        model_splits=model_splits,
        dataset_json=dataset_json,
        plan=rules.plan_network.output.plan,
        splits=rules.split_folds.output.splits,
    output:
        checkpoint=f"{FOLD_FOLDER}/checkpoint_final.pt",
        history=f"{FOLD_FOLDER}/history.csv",
    log:
        f"{LOGS}/import_model/{{dataset}}/{{experiment}}/fold-{{fold}}_seed-{{seed}}.log",
    wildcard_constraints:
        experiment=one_of(IMPORTED),
    resources:
        mem_mb=memory(moving_weights),
        runtime=minutes(moving_weights),
    params:
        configuration=section("model", "configuration"),
        fold="{fold}",
        code=digest("import_model"),
    conda:
        "../../envs/torch.yaml"
    message:
        "{wildcards.dataset}: bringing in {wildcards.experiment}, fold {wildcards.fold}"
    script:
        "../scripts/import_model.py"


rule import_fold_all:
    input:
        model_checkpoint=lambda w: str(model_folders.checkpoint_path(model(w), model_folders.ALL)),
        model_dataset_json=model_dataset_json,
        dataset_json=dataset_json,
        plan=rules.plan_network.output.plan,
        splits=rules.split_folds.output.splits,
    output:
        checkpoint=FOLD_ALL_CHECKPOINT,
    log:
        f"{LOGS}/import_fold_all/{{dataset}}/{{experiment}}.log",
    wildcard_constraints:
        experiment=one_of(IMPORTED),
    resources:
        mem_mb=memory(moving_weights),
        runtime=minutes(moving_weights),
    params:
        configuration=section("model", "configuration"),
        fold=model_folders.ALL,
        code=digest("import_model"),
    conda:
        "../../envs/torch.yaml"
    message:
        "{wildcards.dataset}: bringing in {wildcards.experiment}, trained on all cases"
    script:
        "../scripts/import_model.py"


rule export_model:
    input:
        dataset_json=dataset_json,
        plan=rules.plan_network.output.plan,
        fingerprint=rules.merge_fingerprint.output.fingerprint,
        splits=rules.split_folds.output.splits,
        checkpoints=of_runs(rules.train_fold.output.checkpoint),
        histories=of_runs(rules.train_fold.output.history),
    output:
        exported=directory(f"{RESULTS}/{{dataset}}/{{experiment}}/nnunet/seed-{{seed}}"),
    log:
        f"{LOGS}/export_model/{{dataset}}/{{experiment}}/seed-{{seed}}.log",
    resources:
        mem_mb=memory(moving_weights),
        runtime=minutes(moving_weights),
    params:
        folds=lambda w: [fold for fold, _ in folds_and_seeds(w)],
        settings=section("training"),
        mirroring=section("inference", "mirroring"),
        dataset_name=lambda w: DATASETS[w.dataset].title,
        code=digest("export_model"),
    conda:
        "../../envs/torch.yaml"
    message:
        "{wildcards.dataset}: writing {wildcards.experiment} as a model of nnU-Net's"
    script:
        "../scripts/export_model.py"


rule export_nnunet:
    input:
        list(dict.fromkeys(in_all_runs(rules.export_model.output, networks_of))),

"""Training: one network for each experiment, fold and seed."""


rule train_fold:
    input:
        manifests=exported,
        dataset_json=dataset_json,
        plan=rules.plan_network.output.plan,
        splits=rules.split_folds.output.splits,
        pretrained=pretrained,
    output:
        checkpoint=f"{FOLD_FOLDER}/checkpoint_final.pt",
        history=f"{FOLD_FOLDER}/history.csv",
    log:
        f"{LOGS}/train_fold/{{dataset}}/{{experiment}}/fold-{{fold}}_seed-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/train_fold/{{dataset}}/{{experiment}}/fold-{{fold}}_seed-{{seed}}.tsv"
    wildcard_constraints:
        experiment=one_of(TRAINED),
    threads: training_cores
    resources:
        gpu=training_gpus,
        # Or Slurm may give GPUs of several.
        nodes=1,
        mem_mb=memory(training),
        runtime=minutes(training),
    params:
        arrays=arrays,
        fold="{fold}",
        seed="{seed}",
        settings=training_settings,
        running=training_running,
        code=digest("train_fold"),
    conda:
        "../../envs/torch.yaml"
    message:
        "{wildcards.dataset}: training {wildcards.experiment}, fold {wildcards.fold}, seed {wildcards.seed}"
    script:
        "../scripts/train_fold.py"


rule train:
    input:
        in_all_runs(rules.train_fold.output, networks_of),

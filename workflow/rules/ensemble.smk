"""Ensembles across experiments: mean probabilities, fold by fold and for new images."""


rule fuse_fold:
    input:
        dataset_json=dataset_json,
        splits=rules.split_folds.output.splits,
        members=of_members(PREDICTIONS, rules.predict_member_fold.output.probabilities),
    output:
        predictions=directory(PREDICTIONS),
    log:
        f"{LOGS}/fuse_fold/{{dataset}}/{{experiment}}/fold-{{fold}}_seed-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/fuse_fold/{{dataset}}/{{experiment}}/fold-{{fold}}_seed-{{seed}}.tsv"
    wildcard_constraints:
        experiment=one_of(ENSEMBLES),
    resources:
        mem_mb=memory(fusing),
        runtime=minutes(fusing),
    params:
        fold="{fold}",
        save_probabilities=lookup(within=config, dpath="inference/save_probabilities"),
        code=digest("fuse_cases"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: fusing {wildcards.experiment}, fold {wildcards.fold}, seed {wildcards.seed}"
    script:
        "../scripts/fuse_cases.py"


rule fuse_images:
    input:
        new_images,
        dataset_json=dataset_json,
        members=of_members(PREDICTED, rules.predict_member_images.output.probabilities),
        postprocessing=decided_postprocessing,
    output:
        predictions=directory(PREDICTED),
    log:
        f"{LOGS}/fuse_images/{{dataset}}/{{experiment}}.log",
    benchmark:
        f"{BENCHMARKS}/fuse_images/{{dataset}}/{{experiment}}.tsv"
    wildcard_constraints:
        experiment=one_of(ENSEMBLES),
    resources:
        mem_mb=memory(fusing),
        runtime=minutes(fusing),
    params:
        images=images_folder,
        save_probabilities=lookup(within=config, dpath="inference/save_probabilities"),
        code=digest("fuse_cases"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: fusing new images of {wildcards.experiment}"
    script:
        "../scripts/fuse_cases.py"

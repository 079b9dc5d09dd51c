"""Plans: what the arrays look like, then patch, batch and network, and the folds."""


rule plan_arrays:
    input:
        dataset_json=dataset_json,
        fingerprint=rules.merge_fingerprint.output.fingerprint,
        orientation=rules.merge_fingerprint.output.orientation,
    output:
        preprocessing=f"{RESULTS}/{{dataset}}/arrays/{{key}}/preprocessing.json",
    log:
        f"{LOGS}/plan_arrays/{{dataset}}/{{key}}.log",
    localrule: True
    params:
        slice_axis=lambda w: planning_of(w.key, "slice_axis"),
        in_plane_order=lambda w: planning_of(w.key, "in_plane_order"),
        overwrite_target_spacing=lambda w: planning_of(w.key, "overwrite_target_spacing"),
        plans=lambda w: planning_of(w.key, "plans"),
        configuration=lambda w: planning_of(w.key, "configuration"),
        code=digest("plan_arrays"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: planning arrays {wildcards.key}"
    script:
        "../scripts/plan_arrays.py"


rule plan_network:
    input:
        dataset_json=dataset_json,
        fingerprint=rules.merge_fingerprint.output.fingerprint,
        orientation=rules.merge_fingerprint.output.orientation,
        spacing=rules.merge_fingerprint.output.spacing,
        extents=of_groups(rules.analyze_cases.output.extents),
        preprocessing=lambda w: f"{arrays(w)}/preprocessing.json",
    output:
        plan=f"{RESULTS}/{{dataset}}/{{experiment}}/plans.json",
        adequacy=f"{RESULTS}/{{dataset}}/{{experiment}}/patch_adequacy.csv",
    log:
        f"{LOGS}/plan_network/{{dataset}}/{{experiment}}.log",
    localrule: True
    params:
        planner=section("planning", "planner"),
        gpu_memory_gb=section("planning", "gpu_memory_gb"),
        patch_scale=section("planning", "patch_scale"),
        plans=section("planning", "plans"),
        configuration=section("planning", "configuration"),
        dataset_name=lambda w: DATASETS[w.dataset].title,
        code=digest("plan_network"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: planning the network of {wildcards.experiment}"
    script:
        "../scripts/plan_network.py"


rule split_folds:
    input:
        given=given_splits,
    output:
        splits=f"{RESULTS}/{{dataset}}/splits_final.json",
    log:
        f"{LOGS}/split_folds/{{dataset}}.log",
    localrule: True
    params:
        cases=lambda w: list(DATASETS[w.dataset].cases),
        folds=lookup(within=config, dpath="cross_validation/folds"),
        code=digest("split_folds"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: {params.folds} folds"
    script:
        "../scripts/split_folds.py"


rule plan:
    input:
        in_all_experiments(rules.plan_network.output, experiments_of),
        expand(rules.split_folds.output, dataset=STUDIED),

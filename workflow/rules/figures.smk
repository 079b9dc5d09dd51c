"""Figures of a dataset, each with the table behind it and a caption for the report."""


rule plot_spacing:
    input:
        spacing=rules.merge_fingerprint.output.spacing,
        orientation=rules.merge_fingerprint.output.orientation,
        plans=of_study_experiments(rules.plan_network.output.plan),
    output:
        **drawn("spacing", "spacing", DATA, "spacing and sliced axis"),
        tex=f"{RESULTS}/tables/{{dataset}}_spacing.tex",
    log:
        f"{LOGS}/plot_spacing/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/plot_spacing/{{dataset}}.tsv"
    localrule: True
    params:
        dataset="{dataset}",
        experiments=study_experiments,
        palette=PALETTE,
        code=digest("plot_spacing"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing spacing and sliced axis"
    script:
        "../scripts/plot_spacing.py"


rule plot_patch:
    input:
        lambda w: [path for name in study_experiments(w) for path in manifests(w.dataset, name)],
        dataset_json=dataset_json,
        plans=of_study_experiments(rules.plan_network.output.plan),
        adequacy=of_study_experiments(rules.plan_network.output.adequacy),
    output:
        **drawn("patch", "patch", DATA, "patch over a slice"),
    log:
        f"{LOGS}/plot_patch/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/plot_patch/{{dataset}}.tsv"
    resources:
        mem_mb=memory(drawing_scans),
        runtime=minutes(drawing_scans),
    params:
        dataset="{dataset}",
        experiments=study_experiments,
        palette=PALETTE,
        cases=lambda w: list(DATASETS[w.dataset].cases),
        arrays=lambda w: [arrays_folder(w.dataset, name) for name in study_experiments(w)],
        code=digest("plot_patch"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing the patch over the median slice"
    script:
        "../scripts/plot_patch.py"


rule plot_training:
    input:
        histories=filled(rules.train_fold.output.history, study_trainings),
    output:
        **drawn("training", "training", TRAINING_CURVES, "training curves"),
    log:
        f"{LOGS}/plot_training/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/plot_training/{{dataset}}.tsv"
    localrule: True
    params:
        dataset="{dataset}",
        runs=study_trainings,
        palette=PALETTE,
        code=digest("plot_training"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing training curves"
    script:
        "../scripts/plot_training.py"


rule plot_dice_profile:
    input:
        per_slice=of_study(rules.evaluate_fold.output.per_slice_parquet),
    output:
        **drawn("dice_profile", "dice_profile", SCORES, "Dice along the structure"),
    log:
        f"{LOGS}/plot_dice_profile/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/plot_dice_profile/{{dataset}}.tsv"
    resources:
        mem_mb=memory(drawing),
        runtime=minutes(drawing),
    params:
        dataset="{dataset}",
        experiments=study_models,
        palette=PALETTE,
        bins=10,
        confidence=lookup(within=config, dpath="figures/confidence"),
        resamples=lookup(within=config, dpath="figures/resamples"),
        code=digest("plot_dice_profile"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing Dice along the structures"
    script:
        "../scripts/plot_dice_profile.py"


rule plot_heat_map:
    input:
        per_slice=of_study(rules.evaluate_fold.output.per_slice_parquet),
    output:
        **drawn("heat_map", "heat_map", SCORES, "Dice of every case along the structure"),
    log:
        f"{LOGS}/plot_heat_map/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/plot_heat_map/{{dataset}}.tsv"
    resources:
        mem_mb=memory(drawing),
        runtime=minutes(drawing),
    params:
        dataset="{dataset}",
        experiments=study_models,
        bins=20,
        code=digest("plot_heat_map"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing Dice of every case along the structures"
    script:
        "../scripts/plot_heat_map.py"


rule plot_errors:
    input:
        per_case=of_study(rules.locate_errors.output.per_case),
        per_slice=of_study(rules.locate_errors.output.per_slice),
    output:
        **drawn("errors", "errors", SCORES, "where the errors are"),
        tex=f"{RESULTS}/tables/{{dataset}}_errors.tex",
    log:
        f"{LOGS}/plot_errors/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/plot_errors/{{dataset}}.tsv"
    resources:
        mem_mb=memory(drawing),
        runtime=minutes(drawing),
    params:
        dataset="{dataset}",
        experiments=study_models,
        bins=10,
        confidence=lookup(within=config, dpath="figures/confidence"),
        resamples=lookup(within=config, dpath="figures/resamples"),
        code=digest("plot_errors"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing where the errors are"
    script:
        "../scripts/plot_errors.py"


rule plot_gallery:
    input:
        # Thick slices are shown as they are scored, on the grid of the thin ones.
        dataset_json=original_json,
        orientation=of_original(rules.merge_fingerprint.output.orientation),
        per_slice=of_study(rules.evaluate_fold.output.per_slice_parquet),
        predictions=of_study(PREDICTIONS),
    output:
        **drawn("gallery", "gallery", SCORES, "best, median and worst slices"),
    log:
        f"{LOGS}/plot_gallery/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/plot_gallery/{{dataset}}.tsv"
    resources:
        mem_mb=memory(drawing_scans),
        runtime=minutes(drawing_scans),
    params:
        dataset="{dataset}",
        experiments=study_models,
        runs=study_runs,
        thickened=thickened,
        code=digest("plot_gallery"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing best, median and worst slices"
    script:
        "../scripts/plot_gallery.py"

"""Figures: six for a paper, each with the table behind it and a caption for the report."""


rule plot_spacing:
    input:
        spacing=rules.merge_fingerprint.output.spacing,
        orientation=rules.merge_fingerprint.output.orientation,
        plans=of_study_experiments(rules.plan_network.output.plan),
    output:
        svg=report(
            f"{RESULTS}/figures/{{dataset}}_spacing.svg",
            caption="../report/spacing.rst",
            category="Figures",
            labels={"figure": "spacing", "dataset": "{dataset}", "file": "figure"},
        ),
        png=f"{RESULTS}/figures/{{dataset}}_spacing.png",
        table=report(
            f"{RESULTS}/tables/{{dataset}}_spacing.csv",
            caption="../report/spacing.rst",
            category="Figures",
            labels={"figure": "spacing", "dataset": "{dataset}", "file": "table"},
        ),
    log:
        f"{LOGS}/plot_spacing/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/plot_spacing/{{dataset}}.tsv"
    localrule: True
    params:
        dataset="{dataset}",
        experiments=study_experiments,
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
        svg=report(
            f"{RESULTS}/figures/{{dataset}}_patch.svg",
            caption="../report/patch.rst",
            category="Figures",
            labels={"figure": "patch", "dataset": "{dataset}", "file": "figure"},
        ),
        png=f"{RESULTS}/figures/{{dataset}}_patch.png",
        table=report(
            f"{RESULTS}/tables/{{dataset}}_patch.csv",
            caption="../report/patch.rst",
            category="Figures",
            labels={"figure": "patch", "dataset": "{dataset}", "file": "table"},
        ),
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
        svg=report(
            f"{RESULTS}/figures/{{dataset}}_training.svg",
            caption="../report/training.rst",
            category="Figures",
            labels={"figure": "training", "dataset": "{dataset}", "file": "figure"},
        ),
        png=f"{RESULTS}/figures/{{dataset}}_training.png",
        table=report(
            f"{RESULTS}/tables/{{dataset}}_training.csv",
            caption="../report/training.rst",
            category="Figures",
            labels={"figure": "training", "dataset": "{dataset}", "file": "table"},
        ),
    log:
        f"{LOGS}/plot_training/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/plot_training/{{dataset}}.tsv"
    localrule: True
    params:
        dataset="{dataset}",
        runs=study_trainings,
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
        svg=report(
            f"{RESULTS}/figures/{{dataset}}_dice_profile.svg",
            caption="../report/dice_profile.rst",
            category="Figures",
            labels={
                "figure": "Dice along the structure",
                "dataset": "{dataset}",
                "file": "figure",
            },
        ),
        png=f"{RESULTS}/figures/{{dataset}}_dice_profile.png",
        table=report(
            f"{RESULTS}/tables/{{dataset}}_dice_profile.csv",
            caption="../report/dice_profile.rst",
            category="Figures",
            labels={"figure": "Dice along the structure", "dataset": "{dataset}", "file": "table"},
        ),
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


rule plot_comparison:
    input:
        per_case=of_study(rules.evaluate_fold.output.per_case),
        per_slice=of_study(rules.evaluate_fold.output.per_slice_parquet),
    output:
        svg=report(
            f"{RESULTS}/figures/{{dataset}}_{{study}}.svg",
            caption="../report/comparison.rst",
            category="Figures",
            labels={"figure": "{study}", "dataset": "{dataset}", "file": "figure"},
        ),
        png=f"{RESULTS}/figures/{{dataset}}_{{study}}.png",
        table=report(
            f"{RESULTS}/tables/{{dataset}}_{{study}}.csv",
            caption="../report/comparison.rst",
            category="Figures",
            labels={"figure": "{study}", "dataset": "{dataset}", "file": "table"},
        ),
    log:
        f"{LOGS}/plot_comparison/{{dataset}}/{{study}}.log",
    benchmark:
        f"{BENCHMARKS}/plot_comparison/{{dataset}}/{{study}}.tsv"
    wildcard_constraints:
        study=one_of(studies_of("comparison")),
    resources:
        mem_mb=memory(drawing),
        runtime=minutes(drawing),
    params:
        dataset="{dataset}",
        experiments=study_models,
        confidence=lookup(within=config, dpath="figures/confidence"),
        resamples=lookup(within=config, dpath="figures/resamples"),
        code=digest("plot_comparison"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing the paired scores of {wildcards.study}"
    script:
        "../scripts/plot_comparison.py"


rule plot_gallery:
    input:
        dataset_json=dataset_json,
        per_slice=of_study(rules.evaluate_fold.output.per_slice_parquet),
        predictions=of_study(PREDICTIONS),
    output:
        svg=report(
            f"{RESULTS}/figures/{{dataset}}_gallery.svg",
            caption="../report/gallery.rst",
            category="Figures",
            labels={
                "figure": "best, median and worst slices",
                "dataset": "{dataset}",
                "file": "figure",
            },
        ),
        png=f"{RESULTS}/figures/{{dataset}}_gallery.png",
        table=report(
            f"{RESULTS}/tables/{{dataset}}_gallery.csv",
            caption="../report/gallery.rst",
            category="Figures",
            labels={
                "figure": "best, median and worst slices",
                "dataset": "{dataset}",
                "file": "table",
            },
        ),
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
        code=digest("plot_gallery"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing best, median and worst slices"
    script:
        "../scripts/plot_gallery.py"


rule figures:
    input:
        expand(rules.plot_spacing.output, dataset=SHOWN),
        expand(rules.plot_patch.output, dataset=SHOWN),
        expand(rules.plot_training.output, dataset=SHOWN),
        expand(rules.plot_dice_profile.output, dataset=SHOWN),
        in_studies(rules.plot_comparison.output, "comparison"),
        expand(rules.plot_gallery.output, dataset=SHOWN),

"""Figures: six for a paper, each with the table behind it and a caption for the report."""

from itertools import product

# In the order in which expand() fills experiment, fold and seed.
TRAINED_RUNS = list(product(EXPERIMENTS, FOLDS, SEEDS))
SCORED_RUNS = list(product(MODELS, FOLDS, SEEDS))


rule plot_spacing:
    input:
        spacing=rules.merge_fingerprint.output.spacing,
        orientation=rules.merge_fingerprint.output.orientation,
        plans=expand(rules.plan_network.output.plan, experiment=EXPERIMENTS, allow_missing=True),
    output:
        svg=report(
            f"{RESULTS}/figures/{{dataset}}_spacing.svg",
            caption="../report/spacing.rst",
            category="Figures",
            labels={"figure": "spacing", "dataset": "{dataset}", "file": "figure"},
        ),
        png=f"{RESULTS}/figures/{{dataset}}_spacing.png",
        pdf=f"{RESULTS}/figures/{{dataset}}_spacing.pdf",
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
        experiments=EXPERIMENTS,
        code=digest("plot_spacing"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing spacing and sliced axis"
    script:
        "../scripts/plot_spacing.py"


rule plot_patch:
    input:
        lambda w: [path for name in EXPERIMENTS for path in manifests(w.dataset, name)],
        dataset_json=dataset_json,
        plans=expand(rules.plan_network.output.plan, experiment=EXPERIMENTS, allow_missing=True),
        adequacy=expand(
            rules.plan_network.output.adequacy, experiment=EXPERIMENTS, allow_missing=True
        ),
    output:
        svg=report(
            f"{RESULTS}/figures/{{dataset}}_patch.svg",
            caption="../report/patch.rst",
            category="Figures",
            labels={"figure": "patch", "dataset": "{dataset}", "file": "figure"},
        ),
        png=f"{RESULTS}/figures/{{dataset}}_patch.png",
        pdf=f"{RESULTS}/figures/{{dataset}}_patch.pdf",
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
        experiments=EXPERIMENTS,
        cases=lambda w: list(DATASETS[w.dataset].cases),
        arrays=lambda w: [arrays_folder(w.dataset, name) for name in EXPERIMENTS],
        code=digest("plot_patch"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing the patch over the median slice"
    script:
        "../scripts/plot_patch.py"


rule plot_training:
    input:
        histories=expand(
            rules.train_fold.output.history,
            experiment=EXPERIMENTS,
            fold=FOLDS,
            seed=SEEDS,
            allow_missing=True,
        ),
    output:
        svg=report(
            f"{RESULTS}/figures/{{dataset}}_training.svg",
            caption="../report/training.rst",
            category="Figures",
            labels={"figure": "training", "dataset": "{dataset}", "file": "figure"},
        ),
        png=f"{RESULTS}/figures/{{dataset}}_training.png",
        pdf=f"{RESULTS}/figures/{{dataset}}_training.pdf",
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
        runs=TRAINED_RUNS,
        code=digest("plot_training"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing training curves"
    script:
        "../scripts/plot_training.py"


rule plot_dice_profile:
    input:
        per_slice=expand(
            rules.evaluate_fold.output.per_slice_parquet,
            experiment=MODELS,
            fold=FOLDS,
            seed=SEEDS,
            allow_missing=True,
        ),
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
        pdf=f"{RESULTS}/figures/{{dataset}}_dice_profile.pdf",
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
        experiments=MODELS,
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
        per_case=expand(
            rules.evaluate_fold.output.per_case,
            experiment=MODELS,
            fold=FOLDS,
            seed=SEEDS,
            allow_missing=True,
        ),
        per_slice=expand(
            rules.evaluate_fold.output.per_slice_parquet,
            experiment=MODELS,
            fold=FOLDS,
            seed=SEEDS,
            allow_missing=True,
        ),
    output:
        svg=report(
            f"{RESULTS}/figures/{{dataset}}_comparison.svg",
            caption="../report/comparison.rst",
            category="Figures",
            labels={"figure": "comparison", "dataset": "{dataset}", "file": "figure"},
        ),
        png=f"{RESULTS}/figures/{{dataset}}_comparison.png",
        pdf=f"{RESULTS}/figures/{{dataset}}_comparison.pdf",
        table=report(
            f"{RESULTS}/tables/{{dataset}}_comparison.csv",
            caption="../report/comparison.rst",
            category="Figures",
            labels={"figure": "comparison", "dataset": "{dataset}", "file": "table"},
        ),
    log:
        f"{LOGS}/plot_comparison/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/plot_comparison/{{dataset}}.tsv"
    resources:
        mem_mb=memory(drawing),
        runtime=minutes(drawing),
    params:
        dataset="{dataset}",
        experiments=MODELS,
        confidence=lookup(within=config, dpath="figures/confidence"),
        resamples=lookup(within=config, dpath="figures/resamples"),
        code=digest("plot_comparison"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing the paired comparison"
    script:
        "../scripts/plot_comparison.py"


rule plot_gallery:
    input:
        dataset_json=dataset_json,
        per_slice=expand(
            rules.evaluate_fold.output.per_slice_parquet,
            experiment=MODELS,
            fold=FOLDS,
            seed=SEEDS,
            allow_missing=True,
        ),
        predictions=expand(
            PREDICTIONS,
            experiment=MODELS,
            fold=FOLDS,
            seed=SEEDS,
            allow_missing=True,
        ),
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
        pdf=f"{RESULTS}/figures/{{dataset}}_gallery.pdf",
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
        experiments=MODELS,
        runs=SCORED_RUNS,
        code=digest("plot_gallery"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing best, median and worst slices"
    script:
        "../scripts/plot_gallery.py"


rule figures:
    input:
        expand(rules.plot_spacing.output, dataset=DATASETS),
        expand(rules.plot_patch.output, dataset=DATASETS),
        expand(rules.plot_training.output, dataset=DATASETS),
        expand(rules.plot_dice_profile.output, dataset=DATASETS),
        expand(rules.plot_comparison.output, dataset=DATASETS),
        expand(rules.plot_gallery.output, dataset=DATASETS),

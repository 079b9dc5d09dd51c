"""Figures of a study, with their tables as CSV and LaTeX; then those of datasets too, as a target."""


rule compare_patch_sizes:
    input:
        per_case=of_study(rules.evaluate_fold.output.per_case),
        per_slice=of_study(rules.evaluate_fold.output.per_slice_parquet),
        plans=of_study_experiments(rules.plan_network.output.plan),
        spacing=rules.merge_fingerprint.output.spacing,
        orientation=rules.merge_fingerprint.output.orientation,
        extents=of_groups(rules.analyze_cases.output.extents),
        dataset_json=dataset_json,
    output:
        table=reported(
            f"{RESULTS}/tables/{{dataset}}_{{study}}.csv",
            "patch_size",
            STUDY,
            "patch size",
            file="table",
        ),
        latex=reported(
            f"{RESULTS}/tables/{{dataset}}_{{study}}.tex",
            "patch_size",
            STUDY,
            "patch size",
            file="LaTeX",
        ),
    log:
        f"{LOGS}/compare_patch_sizes/{{dataset}}/{{study}}.log",
    benchmark:
        f"{BENCHMARKS}/compare_patch_sizes/{{dataset}}/{{study}}.tsv"
    wildcard_constraints:
        study=one_of(studies_of("patch_size")),
    resources:
        mem_mb=memory(drawing),
        runtime=minutes(drawing),
    params:
        dataset="{dataset}",
        study="{study}",
        experiments=study_models,
        batch_sizes=lambda w: [
            config["experiments"][name]["training"]["batch_size"] for name in study_models(w)
        ],
        confidence=lookup(within=config, dpath="figures/confidence"),
        resamples=lookup(within=config, dpath="figures/resamples"),
        code=digest("compare_patch_sizes"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: comparing the patches of {wildcards.study}"
    script:
        "../scripts/compare_patch_sizes.py"


rule plot_patch_size:
    input:
        comparison=rules.compare_patch_sizes.output.table,
    output:
        svg=reported(
            f"{RESULTS}/figures/{{dataset}}_{{study}}.svg", "patch_size", STUDY, "patch size"
        ),
        png=f"{RESULTS}/figures/{{dataset}}_{{study}}.png",
        pdf=f"{RESULTS}/figures/{{dataset}}_{{study}}.pdf",
    log:
        f"{LOGS}/plot_patch_size/{{dataset}}/{{study}}.log",
    benchmark:
        f"{BENCHMARKS}/plot_patch_size/{{dataset}}/{{study}}.tsv"
    wildcard_constraints:
        study=one_of(studies_of("patch_size")),
    localrule: True
    params:
        code=digest("plot_patch_size"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing the patches of {wildcards.study}"
    script:
        "../scripts/plot_patch_size.py"


rule figures:
    input:
        expand(rules.plot_spacing.output, dataset=SHOWN),
        expand(rules.plot_patch.output, dataset=SHOWN),
        expand(rules.plot_training.output, dataset=SHOWN),
        expand(rules.plot_dice_profile.output, dataset=SHOWN),
        expand(rules.plot_heat_map.output, dataset=SHOWN),
        expand(rules.plot_errors.output, dataset=SHOWN),
        expand(rules.plot_gallery.output, dataset=SHOWN),
        rules.comparisons.input,
        in_studies(rules.compare_patch_sizes.output, "patch_size"),
        in_studies(rules.plot_patch_size.output, "patch_size"),
        in_studies(rules.plot_reading.output, "reading"),
        in_thicknesses([*rules.compare_anisotropy.output, *rules.plot_anisotropy.output]),

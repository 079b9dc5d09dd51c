"""What thicker slices cost: a table and a figure over all thicknesses of the same scans."""


rule compare_anisotropy:
    input:
        per_case=of_thicknesses(rules.evaluate_fold.output.per_case),
        plans=lambda w: [
            rules.plan_network.output.plan.format(dataset=dataset, experiment=experiment)
            for dataset, experiment in thickness_plans(w)
        ],
        ceilings=of_thick_slices(rules.score_ceiling.output.ceiling),
        fingerprint=rules.merge_fingerprint.output.fingerprint.replace("{dataset}", "{source}"),
        orientation=rules.merge_fingerprint.output.orientation.replace("{dataset}", "{source}"),
    output:
        table=reported(
            f"{RESULTS}/tables/{{source}}_{{study}}.csv",
            "anisotropy",
            STUDY,
            "thickness of slices",
            "table",
            of="{source}",
        ),
        tex=reported(
            f"{RESULTS}/tables/{{source}}_{{study}}.tex",
            "anisotropy",
            STUDY,
            "thickness of slices",
            "LaTeX",
            of="{source}",
        ),
    log:
        f"{LOGS}/compare_anisotropy/{{source}}/{{study}}.log",
    benchmark:
        f"{BENCHMARKS}/compare_anisotropy/{{source}}/{{study}}.tsv"
    wildcard_constraints:
        study=one_of(studies_of("anisotropy")),
    resources:
        mem_mb=memory(drawing),
        runtime=minutes(drawing),
    params:
        source="{source}",
        study="{study}",
        thickened=thicknesses,
        planned=thickness_plans,
        experiments=study_models,
        twins=lambda w: {name: studies.twins(config, name) for name in study_models(w)},
        members=ENSEMBLES,
        reference=lambda w: study_of(w)["reference"],
        confidence=lookup(within=config, dpath="figures/confidence"),
        resamples=lookup(within=config, dpath="figures/resamples"),
        code=digest("compare_anisotropy"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.source}: comparing thicknesses of slices, {wildcards.study}"
    script:
        "../scripts/compare_anisotropy.py"


rule plot_anisotropy:
    input:
        table=rules.compare_anisotropy.output.table,
    output:
        svg=reported(
            f"{RESULTS}/figures/{{source}}_{{study}}.svg",
            "anisotropy",
            STUDY,
            "thickness of slices",
            of="{source}",
        ),
        png=f"{RESULTS}/figures/{{source}}_{{study}}.png",
        pdf=f"{RESULTS}/figures/{{source}}_{{study}}.pdf",
    log:
        f"{LOGS}/plot_anisotropy/{{source}}/{{study}}.log",
    benchmark:
        f"{BENCHMARKS}/plot_anisotropy/{{source}}/{{study}}.tsv"
    wildcard_constraints:
        study=one_of(studies_of("anisotropy")),
    localrule: True
    params:
        reference=lambda w: study_of(w)["reference"],
        palette=PALETTE,
        code=digest("plot_anisotropy"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.source}: drawing scores over the thickness of slices, {wildcards.study}"
    script:
        "../scripts/plot_anisotropy.py"

"""What thicker slices cost: a table and a figure over all thicknesses of the same scans."""


def thicknesses(wildcards) -> dict:
    """Return the datasets of the wildcards' study with slices of its source, and how each is made.

    The source itself, which is as it is, has None.
    """
    made = {
        name: config["datasets"][name].get("thicken") for name in study_of(wildcards)["datasets"]
    }
    return {
        name: settings
        for name, settings in made.items()
        if (settings["of"] if settings else name) == wildcards.source
    }


def of_thicknesses(pattern: str):
    """Return an input function: `pattern` filled for all runs of the wildcards' study and source."""
    return lambda wildcards: [
        pattern.format(dataset=dataset, experiment=model, fold=fold, seed=seed)
        for dataset in thicknesses(wildcards)
        for model, fold, seed in study_runs(wildcards)
    ]


def in_thicknesses(patterns) -> list[str]:
    """Return paths filled for all such studies and the sources of each."""
    return [
        pattern.format(source=source, study=name)
        for name in studies_of("anisotropy")
        for source in dict.fromkeys(
            config["datasets"][dataset]["thicken"]["of"]
            for dataset in STUDIES[name]["datasets"]
            if dataset in THICK
        )
        for pattern in patterns
    ]


wildcard_constraints:
    source=one_of(DATASETS),


rule compare_anisotropy:
    input:
        per_case=of_thicknesses(rules.evaluate_fold.output.per_case),
        ceilings=lambda w: [
            rules.score_ceiling.output.ceiling.format(dataset=name)
            for name in thicknesses(w)
            if name in THICK
        ],
        fingerprint=rules.merge_fingerprint.output.fingerprint.replace("{dataset}", "{source}"),
        orientation=rules.merge_fingerprint.output.orientation.replace("{dataset}", "{source}"),
    output:
        table=reported(
            f"{RESULTS}/tables/{{source}}_{{study}}.csv",
            caption="anisotropy",
            category=STUDY,
            shows="thickness of slices",
            file="table",
            of="{source}",
        ),
        tex=f"{RESULTS}/tables/{{source}}_{{study}}.tex",
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
        experiments=study_models,
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
            caption="anisotropy",
            category=STUDY,
            shows="thickness of slices",
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
        code=digest("plot_anisotropy"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.source}: drawing scores over the thickness of slices, {wildcards.study}"
    script:
        "../scripts/plot_anisotropy.py"

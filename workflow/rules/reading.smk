"""Studies of the kind reading: what samples cost to read from disk, measured as a dataset grows."""


# What it writes differs from run to run, as do the files below benchmarks/ that Snakemake writes.
rule measure_reading:
    input:
        lambda w: [path for name in study_experiments(w) for path in manifests(w.dataset, name)],
        dataset_json=dataset_json,
        plans=of_study_experiments(rules.plan_network.output.plan),
    output:
        measured=f"{BENCHMARKS}/reading/{{dataset}}/{{study}}.csv",
    log:
        f"{LOGS}/measure_reading/{{dataset}}/{{study}}.log",
    benchmark:
        f"{BENCHMARKS}/measure_reading/{{dataset}}/{{study}}.tsv"
    wildcard_constraints:
        study=one_of(studies_of("reading")),
    resources:
        mem_mb=memory(measuring),
        runtime=minutes(measuring),
    params:
        dataset="{dataset}",
        study="{study}",
        cases=lambda w: list(DATASETS[w.dataset].cases),
        arrays=lambda w: [arrays_folder(w.dataset, name) for name in study_experiments(w)],
        experiments=lambda w: {
            name: {
                key: config["experiments"][name]["training"][key]
                for key in ("batch_size", "oversample_foreground")
            }
            for name in study_experiments(w)
        },
        code=digest("measure_reading"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: measuring what samples cost to read, for {wildcards.study}"
    script:
        "../scripts/measure_reading.py"


rule plot_reading:
    input:
        measured=rules.measure_reading.output.measured,
    output:
        **drawn("{study}", "reading", STUDY, "cost of reading"),
        latex=reported(
            f"{RESULTS}/tables/{{dataset}}_{{study}}.tex",
            "reading",
            STUDY,
            "cost of reading",
            "LaTeX",
        ),
    log:
        f"{LOGS}/plot_reading/{{dataset}}/{{study}}.log",
    benchmark:
        f"{BENCHMARKS}/plot_reading/{{dataset}}/{{study}}.tsv"
    wildcard_constraints:
        study=one_of(studies_of("reading")),
    localrule: True
    params:
        dataset="{dataset}",
        study="{study}",
        experiments=study_experiments,
        code=digest("plot_reading"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing what samples cost to read"
    script:
        "../scripts/plot_reading.py"

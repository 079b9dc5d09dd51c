"""Studies that compare experiments: statistics in tables, as CSV and LaTeX, and their figures."""

COMPARED = studies_of("comparison")
STUDY_TABLE = f"{RESULTS}/tables/{{dataset}}_{{study}}"
STUDY_FIGURE = f"{RESULTS}/figures/{{dataset}}_{{study}}"


rule compare_experiments:
    input:
        per_case=of_study(rules.evaluate_fold.output.per_case),
        per_slice=of_study(rules.evaluate_fold.output.per_slice_parquet),
    output:
        table=reported(f"{STUDY_TABLE}.csv", "comparison", STUDY, "comparison", "table"),
        table_tex=reported(f"{STUDY_TABLE}.tex", "comparison", STUDY, "comparison", "LaTeX"),
        pairs=f"{STUDY_TABLE}_pairs.parquet",
        empty=reported(f"{STUDY_TABLE}_empty.csv", "empty", STUDY, "empty slices", "table"),
        empty_tex=reported(f"{STUDY_TABLE}_empty.tex", "empty", STUDY, "empty slices", "LaTeX"),
        seeds=reported(f"{STUDY_TABLE}_seeds.csv", "seeds", STUDY, "cases and seeds", "table"),
        seeds_tex=reported(f"{STUDY_TABLE}_seeds.tex", "seeds", STUDY, "cases and seeds", "LaTeX"),
    log:
        f"{LOGS}/compare_experiments/{{dataset}}/{{study}}.log",
    benchmark:
        f"{BENCHMARKS}/compare_experiments/{{dataset}}/{{study}}.tsv"
    wildcard_constraints:
        study=one_of(COMPARED),
    resources:
        mem_mb=memory(drawing),
        runtime=minutes(drawing),
    params:
        dataset="{dataset}",
        study="{study}",
        experiments=study_models,
        confidence=lookup(within=config, dpath="figures/confidence"),
        resamples=lookup(within=config, dpath="figures/resamples"),
        code=digest("compare_experiments"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: comparing the experiments of {wildcards.study}"
    script:
        "../scripts/compare_experiments.py"


rule rank_experiments:
    input:
        per_case=of_study(rules.evaluate_fold.output.per_case),
    output:
        table=reported(f"{STUDY_TABLE}_ranking.csv", "ranking", STUDY, "ranking", "table"),
        table_tex=reported(f"{STUDY_TABLE}_ranking.tex", "ranking", STUDY, "ranking", "LaTeX"),
    log:
        f"{LOGS}/rank_experiments/{{dataset}}/{{study}}.log",
    benchmark:
        f"{BENCHMARKS}/rank_experiments/{{dataset}}/{{study}}.tsv"
    wildcard_constraints:
        study=one_of(COMPARED),
    resources:
        mem_mb=memory(drawing),
        runtime=minutes(drawing),
    params:
        dataset="{dataset}",
        study="{study}",
        experiments=study_models,
        resamples=lookup(within=config, dpath="figures/resamples"),
        code=digest("rank_experiments"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: ranking the experiments of {wildcards.study}"
    script:
        "../scripts/rank_experiments.py"


rule plot_comparison:
    input:
        table=rules.compare_experiments.output.table,
        pairs=rules.compare_experiments.output.pairs,
    output:
        svg=reported(f"{STUDY_FIGURE}.svg", "comparison", STUDY, "comparison"),
        png=f"{STUDY_FIGURE}.png",
        pdf=f"{STUDY_FIGURE}.pdf",
    log:
        f"{LOGS}/plot_comparison/{{dataset}}/{{study}}.log",
    benchmark:
        f"{BENCHMARKS}/plot_comparison/{{dataset}}/{{study}}.tsv"
    resources:
        mem_mb=memory(drawing),
        runtime=minutes(drawing),
    params:
        confidence=lookup(within=config, dpath="figures/confidence"),
        palette=PALETTE,
        code=digest("plot_comparison"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing the paired scores of {wildcards.study}"
    script:
        "../scripts/plot_comparison.py"


rule plot_ranking:
    input:
        table=rules.rank_experiments.output.table,
    output:
        svg=reported(f"{STUDY_FIGURE}_ranking.svg", "ranking", STUDY, "ranking"),
        png=f"{STUDY_FIGURE}_ranking.png",
        pdf=f"{STUDY_FIGURE}_ranking.pdf",
    log:
        f"{LOGS}/plot_ranking/{{dataset}}/{{study}}.log",
    benchmark:
        f"{BENCHMARKS}/plot_ranking/{{dataset}}/{{study}}.tsv"
    localrule: True
    params:
        palette=PALETTE,
        code=digest("plot_ranking"),
    conda:
        "../../envs/figures.yaml"
    message:
        "{wildcards.dataset}: drawing the ranking of {wildcards.study}"
    script:
        "../scripts/plot_ranking.py"


rule comparisons:
    input:
        in_studies(rules.compare_experiments.output, "comparison"),
        in_studies(rules.rank_experiments.output, "comparison"),
        in_studies(rules.plot_comparison.output, "comparison"),
        # Which of two is the better one, the comparison says.
        in_studies(rules.plot_ranking.output, "comparison", fewest=3),

"""Spacing analysis: each case once, in groups, then one fingerprint of the dataset.

The same reading finds what is wrong with the scans; a dataset with errors gets no fingerprint.
"""


rule analyze_cases:
    input:
        group_files,
        # Adding a case changes numTraining; that is no reason to read the others again. Other
        # labels are one, and a param.
        dataset_json=ancient(dataset_json),
    output:
        problems=f"{RESULTS}/{{dataset}}/fingerprint/group-{{group}}_problems.csv",
        analysis=f"{RESULTS}/{{dataset}}/fingerprint/group-{{group}}.json",
        intensities=f"{RESULTS}/{{dataset}}/fingerprint/group-{{group}}_intensities.npy",
        extents=f"{RESULTS}/{{dataset}}/fingerprint/group-{{group}}_extents.csv",
    log:
        f"{LOGS}/analyze_cases/{{dataset}}/group-{{group}}.log",
    benchmark:
        f"{BENCHMARKS}/analyze_cases/{{dataset}}/group-{{group}}.tsv"
    # Before the folds, which nothing waits for: they fit beside the merge.
    priority: 1
    resources:
        mem_mb=memory(analysing),
        runtime=minutes(analysing),
    params:
        cases=group_cases,
        reorient=lookup(within=config, dpath="preprocessing/reorient"),
        labels=labels_of,
        sizes=lambda w: DATASETS[w.dataset].sizes(group_cases(w)),
        code=digest("analyze_cases"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: analysing group {wildcards.group}"
    script:
        "../scripts/analyze_cases.py"


rule validate_dataset:
    input:
        dataset_json=dataset_json,
        problems=of_groups(rules.analyze_cases.output.problems),
        analyses=of_groups(rules.analyze_cases.output.analysis),
    output:
        validation=f"{RESULTS}/{{dataset}}/validation.csv",
    log:
        f"{LOGS}/validate_dataset/{{dataset}}.log",
    priority: 1
    localrule: True
    params:
        unused_files=lambda w: DATASETS[w.dataset].unused_files,
        reorient=lookup(within=config, dpath="preprocessing/reorient"),
        code=digest("validate_dataset"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: gathering the problems of its scans"
    script:
        "../scripts/validate_dataset.py"


rule validate:
    input:
        validations=expand(rules.validate_dataset.output.validation, dataset=STUDIED),
    log:
        f"{LOGS}/validate.log",
    localrule: True
    params:
        code=digest("validate"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "Validation of all datasets"
    # Without an output it runs each time that it is asked for, and fails each time there are errors.
    script:
        "../scripts/validate.py"


rule merge_fingerprint:
    input:
        # Errors come with other analyses. New warnings alone are no reason to train again.
        validation=ancient(rules.validate_dataset.output.validation),
        dataset_json=dataset_json,
        analyses=of_groups(rules.analyze_cases.output.analysis),
        intensities=of_groups(rules.analyze_cases.output.intensities),
    output:
        fingerprint=f"{RESULTS}/{{dataset}}/dataset_fingerprint.json",
        spacing=f"{RESULTS}/{{dataset}}/spacing.csv",
        orientation=f"{RESULTS}/{{dataset}}/orientation.json",
    log:
        f"{LOGS}/merge_fingerprint/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/merge_fingerprint/{{dataset}}.tsv"
    resources:
        mem_mb=memory(merging),
        runtime=minutes(merging),
    params:
        reorient=lookup(within=config, dpath="preprocessing/reorient"),
        code=digest("merge_fingerprint"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: fingerprint"
    script:
        "../scripts/merge_fingerprint.py"


rule fingerprint:
    input:
        expand(rules.merge_fingerprint.output, dataset=STUDIED),

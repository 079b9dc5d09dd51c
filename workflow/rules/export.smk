"""Export: every case as slice-major .npy, once for all experiments that share its arrays."""


rule export_cases:
    input:
        group_files,
        dataset_json=ancient(dataset_json),
        preprocessing=rules.plan_arrays.output.preprocessing,
        orientation=rules.merge_fingerprint.output.orientation,
    output:
        # A group has as many files as it has cases, more than a rule can declare: the manifest,
        # written last, stands for them.
        manifest=f"{RESULTS}/{{dataset}}/arrays/{{key}}/group-{{group}}.manifest.json",
    log:
        f"{LOGS}/export_cases/{{dataset}}/{{key}}/group-{{group}}.log",
    benchmark:
        f"{BENCHMARKS}/export_cases/{{dataset}}/{{key}}/group-{{group}}.tsv"
    resources:
        mem_mb=memory(exporting),
        runtime=minutes(exporting),
    params:
        cases=group_cases,
        arrays=subpath(output.manifest, parent=True),
        code=digest("export_cases"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: exporting group {wildcards.group} as {wildcards.key}"
    script:
        "../scripts/export_cases.py"


rule export:
    input:
        # A function, as the cases of an archive are known once it is unpacked.
        lambda w: [path for d in STUDIED for e in experiments_of(d) for path in manifests(d, e)],

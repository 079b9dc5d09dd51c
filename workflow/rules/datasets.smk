"""Datasets that the workflow makes itself, phantoms and thick slices, or has to fetch first."""


rule make_phantoms:
    output:
        # A group has as many files as it has phantoms, more than a rule can declare: this list of
        # them, written last, stands for them.
        made=MADE_PHANTOMS,
    log:
        f"{LOGS}/make_phantoms/{{dataset}}/group-{{group}}.log",
    wildcard_constraints:
        dataset=one_of(PHANTOMS),
    resources:
        mem_mb=memory(making_phantoms),
        runtime=minutes(making_phantoms),
    params:
        cases=group_cases,
        raw=lambda w: str(DATASETS[w.dataset].json_path.parent),
        seed=lambda w: DATASETS[w.dataset].generated["seed"],
        thick_axis=lambda w: DATASETS[w.dataset].generated["thick_axis"],
        spacing=lambda w: DATASETS[w.dataset].generated["spacing"],
        code=digest("make_phantoms"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: phantoms of group {wildcards.group}"
    script:
        "../scripts/make_phantoms.py"


rule describe_phantoms:
    output:
        dataset_json=f"{RESULTS}/{{dataset}}/raw/dataset.json",
    log:
        f"{LOGS}/describe_phantoms/{{dataset}}.log",
    wildcard_constraints:
        dataset=one_of(PHANTOMS),
    localrule: True
    params:
        cases=lambda w: len(DATASETS[w.dataset].cases),
        code=digest("describe_phantoms"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: dataset.json of {params.cases} phantoms"
    script:
        "../scripts/describe_phantoms.py"


rule thicken_cases:
    input:
        lambda w: files_of_group(original(w), w.group),
        # Adding a case changes numTraining; that is no reason to make the others again. Other
        # labels are one, and a param.
        dataset_json=ancient(original_json),
        orientation=of_original(f"{RESULTS}/{{dataset}}/orientation.json"),
    output:
        # As of phantoms, written last, and stands for the files of the group.
        made=MADE_THICK,
    log:
        f"{LOGS}/thicken_cases/{{dataset}}/group-{{group}}.log",
    wildcard_constraints:
        dataset=one_of(THICK),
    resources:
        mem_mb=memory(thickening),
        runtime=minutes(thickening),
    params:
        cases=group_cases,
        raw=lambda w: str(DATASETS[w.dataset].json_path.parent),
        axis=lambda w: thickened(w)["axis"],
        factor=lambda w: thickened(w)["factor"],
        profile=lambda w: thickened(w)["profile"],
        labels=labels_of,
        sizes=lambda w: DATASETS[original(w)].sizes(group_cases(w)),
        code=digest("thicken_cases"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: thick slices of group {wildcards.group}"
    script:
        "../scripts/thicken_cases.py"


rule describe_thickened:
    input:
        source=original_json,
    output:
        dataset_json=f"{RESULTS}/{{dataset}}/raw/dataset.json",
    log:
        f"{LOGS}/describe_thickened/{{dataset}}.log",
    wildcard_constraints:
        dataset=one_of(THICK),
    localrule: True
    params:
        of=original,
        axis=lambda w: thickened(w)["axis"],
        factor=lambda w: thickened(w)["factor"],
        profile=lambda w: thickened(w)["profile"],
        code=digest("describe_thickened"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: dataset.json of thick slices of {params.of}"
    script:
        "../scripts/describe_thickened.py"


# By a script and not through Snakemake's storage for http, which compares no checksum, begins anew
# after each break, waits for a silent server for ever, keeps a page that says 404 as the file, and
# writes outside of results. Of addresses of another kind `archive` makes inputs of its storage.
rule download_archive:
    output:
        archive=temp(DOWNLOADED),
    log:
        f"{LOGS}/download_archive/{{dataset}}.log",
    wildcard_constraints:
        dataset=one_of(ARCHIVES),
    retries: 0  # it tries again by itself, and another archive stays another
    localrule: True
    # No digest of the code here and below: other code would fetch and unpack the same bytes.
    params:
        url=lambda w: config["datasets"][w.dataset]["archive"],
        checksum=checksum,
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: downloading {params.url}"
    script:
        "../scripts/download_archive.py"


rule unpack_archive:
    input:
        # Its checksum says whether it is another, not its date.
        archive=ancient(archive),
    output:
        raw=directory(UNPACKED),
    log:
        f"{LOGS}/unpack_archive/{{dataset}}.log",
    wildcard_constraints:
        dataset=one_of(ARCHIVES),
    resources:
        mem_mb=memory(unpacking),
        runtime=minutes(unpacking),
    params:
        checksum=checksum,
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: unpacking {input.archive}"
    script:
        "../scripts/unpack_archive.py"


# Which cases there are is known once this is done: DATASETS waits for it.
checkpoint list_archive:
    input:
        raw=rules.unpack_archive.output.raw,
    output:
        listing=f"{RESULTS}/{{dataset}}/raw.cases.json",
    log:
        f"{LOGS}/list_archive/{{dataset}}.log",
    wildcard_constraints:
        dataset=one_of(ARCHIVES),
    localrule: True
    params:
        folds=lookup(within=config, dpath="cross_validation/folds"),
        code=digest("list_archive"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: listing the cases of the archive"
    script:
        "../scripts/list_archive.py"

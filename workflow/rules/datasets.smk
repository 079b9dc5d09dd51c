"""Datasets that the workflow makes itself: cardiac short-axis phantoms."""


rule make_phantom:
    output:
        image=f"{RESULTS}/{{dataset}}/raw/imagesTr/phantom_{{index}}_0000.nii.gz",
        label=f"{RESULTS}/{{dataset}}/raw/labelsTr/phantom_{{index}}.nii.gz",
    log:
        f"{LOGS}/make_phantom/{{dataset}}/phantom_{{index}}.log",
    params:
        case="phantom_{index}",
        index=lambda w: int(w.index),
        seed=lambda w: DATASETS[w.dataset].generated["seed"],
        thick_axis=lambda w: DATASETS[w.dataset].generated["thick_axis"],
        code=digest("make_phantom"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: phantom {wildcards.index}"
    script:
        "../scripts/make_phantom.py"


rule describe_phantoms:
    output:
        dataset_json=f"{RESULTS}/{{dataset}}/raw/dataset.json",
    log:
        f"{LOGS}/describe_phantoms/{{dataset}}.log",
    params:
        cases=lambda w: len(DATASETS[w.dataset].cases),
        code=digest("describe_phantoms"),
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.dataset}: dataset.json of {params.cases} phantoms"
    script:
        "../scripts/describe_phantoms.py"

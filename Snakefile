"""nnU-Net's 2D mode from scans to figures: each file included below is one stage of it."""

from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")

# A folder that has no config of its own gets the default run, wherever this file lies.
DEFAULT = Path("config/config.yaml")
if not workflow.config_settings.configfiles:

    configfile: str(DEFAULT if DEFAULT.exists() else Path(str(workflow.current_basedir), DEFAULT))


report: "workflow/report/workflow.rst"


include: "workflow/rules/package.smk"  # the package slicewise, beside this file
include: "workflow/rules/common.smk"
include: "workflow/rules/studies.smk"  # which experiments run, on which datasets, folds and seeds
include: "workflow/rules/networks.smk"
include: "workflow/rules/resources.smk"  # memory, minutes and GPUs that jobs ask of a cluster
include: "workflow/rules/datasets.smk"  # generated phantoms, archives -> raw/
include: "workflow/rules/fingerprint.smk"  # spacing analysis, problems of scans -> dataset_fingerprint.json
include: "workflow/rules/plan.smk"  # sliced axis, patch, batch, network -> plans.json
include: "workflow/rules/export.smk"  # crop, normalise, resample -> slice-major .npy
include: "workflow/rules/train.smk"  # patches of single slices -> checkpoint_final.pt
include: "workflow/rules/trade.smk"  # nnU-Net's trained models in, ours out
include: "workflow/rules/predict.smk"  # tiles of all slices -> CASE.nii.gz
include: "workflow/rules/ensemble.smk"  # experiments fused -> CASE.nii.gz
include: "workflow/rules/evaluate.smk"  # scores, post-processing, the best configuration
include: "workflow/rules/reading.smk"  # what samples cost to read, bytes, memory and time
include: "workflow/rules/comparison.smk"  # experiments of a study compared and ranked
include: "workflow/rules/anisotropy.smk"  # scores over the thickness of slices
include: "workflow/rules/figures.smk"  # the figures of a dataset
include: "workflow/rules/study_figures.smk"  # those of a study, and all of a paper
include: "workflow/rules/records.smk"  # runs, plans and files of all studies
include: "workflow/rules/report.smk"  # checksums, provenance, methods in words, the slice explorer


rule all:
    input:
        rules.evaluate.input,
        rules.figures.input,
        rules.write_methods.output,
        rules.explore_slices.output,

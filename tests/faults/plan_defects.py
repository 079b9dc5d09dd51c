"""Plans and folders of models that are wrong, and the words that the message must hold."""

from __future__ import annotations

import shutil

from faults.spoilt_documents import (
    GOLDEN_PLAN,
    Defect,
    built,
    configured,
    in_three_dimensions,
    intensities,
    modelled,
    named_network,
    plan_bytes,
    planned,
    sized,
    stated,
    strides,
    written,
)

DEEP = b"[" * 200_000
V1 = b'{"num_stages": 1, "plans_per_stage": {"0": {"batch_size": 2}}, "patch_size": [1, 2, 3]}'
CHAIN = {f"c{i}": {"inherits_from": f"c{i + 1}"} for i in range(500)}
HUGE = 10**9
PLANS = [
    Defect("a plan cut off", plan_bytes(GOLDEN_PLAN.read_bytes()[:900]), ("JSON that is cut off",)),
    Defect("an empty plan", plan_bytes(b""), ("plans.json: found an empty file",)),
    Defect("a plan of v1, a pickle", plan_bytes(b"\x80\x04}q\x00."), ("a pickle", "nnU-Net v1")),
    Defect("a plan of v1 in JSON", plan_bytes(V1), ("no configurations", "nnU-Net v1")),
    Defect("a plan in a list", plan_bytes(b"[]"), ("found a list at its top level",)),
    Defect("no plan", configured(planning={"plans": "nowhere.json"}), ("nowhere.json: found no",)),
    Defect("a folder for a plan", configured(planning={"plans": "."}), ("found a folder",)),
    Defect("brackets for a plan", plan_bytes(DEEP), ("nested too deep",)),
    Defect("configurations in a list", plan_bytes(b'{"configurations": []}'), ("no config",)),
    Defect(
        "a configuration of text",
        plan_bytes(b'{"configurations": {"2d": "x"}}'),
        ("configurations.2d: str",),
    ),
    Defect(
        "3d_fullres alone", plan_bytes(b'{"configurations": {"3d": {}}}'), ("['3d'] without 2d",)
    ),
    Defect(
        "parents in a list", plan_bytes(b'{"configurations": {"2d": {"inherits_from": []}}}'), ()
    ),
    Defect(
        "500 parents",
        planned(lambda c, p, n: (c["configurations"].update(CHAIN), p.update(inherits_from="c0"))),
        ("more than 100",),
    ),
    Defect("three dimensions", planned(in_three_dimensions), ("patch_size: [8, 32, 32]", "2 long")),
    Defect("a patch that does not fit", planned(sized(patch_size=[33, 32])), ("multiples of 8",)),
    Defect("strides larger than the patch", planned(strides(1, 8, 8, 8)), ("multiples of 512",)),
    Defect(
        "a bottleneck of one voxel",
        planned(lambda c, p, n: (strides(1, 2, 4, 4)(c, p, n), p.update(patch_size=[32, 32]))),
        ("more than one voxel",),
    ),
    Defect("strides from the start", planned(strides(2, 1, 1, 1)), ("[1, 1], as the first stage",)),
    Defect(
        "a patch of 10^9", planned(sized(patch_size=[HUGE, HUGE])), ("patch_size[0]: 1000000000",)
    ),
    Defect(
        "a large patch in a large batch",
        planned(sized(patch_size=[8192, 8192], batch_size=64)),
        ("voxels at most",),
    ),
    Defect("a batch of 10^9", planned(sized(batch_size=HUGE)), ("batch_size: 1000000000",)),
    Defect("a batch of 0", planned(sized(batch_size=0)), ("batch_size: 0", "at least 1")),
    Defect("a batch of -2", planned(sized(batch_size=-2)), ("batch_size: -2",)),
    Defect("a batch of text", planned(sized(batch_size="12")), ('batch_size: "12"',)),
    Defect("a patch of text", planned(sized(patch_size="32")), ('patch_size: "32"',)),
    Defect("40 stages", planned(built(n_stages=40)), ("n_stages: 40", "at most 16")),
    Defect(
        "one stage more",
        planned(built(n_stages=5)),
        ("features_per_stage: 4 entries", "expected 5"),
    ),
    Defect(
        "features of 10^6",
        planned(built(features_per_stage=[10**6] * 4)),
        ("features_per_stage[0]",),
    ),
    Defect(
        "30,000 features", planned(built(features_per_stage=[30_000] * 4)), ("weights", "at most")
    ),
    Defect("a feature less", planned(built(features_per_stage=[8, 16, 32])), ("3 entries",)),
    Defect(
        "a kernel less", planned(built(kernel_sizes=[[3, 3]] * 3)), ("kernel_sizes: 3 entries",)
    ),
    Defect("a stride less", planned(strides(1, 2, 2)), ("strides: 3 entries",)),
    Defect(
        "a block more", planned(built(n_conv_per_stage=[2] * 5)), ("n_conv_per_stage: 5 entries",)
    ),
    Defect(
        "a decoder more", planned(built(n_conv_per_stage_decoder=[2] * 4)), ("decoder: 4 entries",)
    ),
    Defect("even kernels", planned(built(kernel_sizes=[[2, 2]] * 4)), ("kernel_sizes[0][0]: 2",)),
    Defect("kernels of 0", planned(built(kernel_sizes=[[0, 3]] * 4)), ("kernel_sizes[0][0]: 0",)),
    Defect("blocks of 0", planned(built(n_conv_per_stage=[0] * 4)), ("n_conv_per_stage[0]: 0",)),
    Defect("spacing 0", planned(sized(spacing=[0, 1])), ("spacing[0]: 0",)),
    Defect("a spacing of 1e-9 mm", planned(sized(spacing=[1e-9, 1])), ("spacing[0]: 1e-09",)),
    Defect("spacing in words", planned(sized(spacing="1 mm")), ('spacing: "1 mm"',)),
    Defect("a mean of NaN", planned(intensities(mean=float("nan"))), ("found NaN",)),
    Defect("a mean of text", planned(intensities(mean="x")), ('mean: "x"',)),
    Defect("a mean of 10^400", planned(intensities(mean=10**400)), (".mean: 1000000",)),
    Defect(
        "one channel too few",
        planned(sized(normalization_schemes=["CTNormalization"] * 2)),
        ("normalization_schemes: 2",),
    ),
    Defect("axes twice", planned(stated(transpose_forward=[0, 0, 1])), ("none twice",)),
    Defect(
        "a class to import",
        planned(named_network("os.system")),
        ('network_class_name: "os.system"',),
    ),
    Defect(
        "a convolution to import", planned(built(conv_op="os.system")), ('conv_op: "os.system"',)
    ),
    Defect(
        "a scheme to import", planned(sized(normalization_schemes=["os.system"])), ("schemes[0]",)
    ),
    Defect(
        "a reader to import",
        planned(stated(image_reader_writer="os.system")),
        ("os.system, expected",),
    ),
    Defect(
        "resampling to import",
        planned(sized(resampling_fn_data="os.system")),
        ("resampling_fn_data",),
    ),
    Defect(
        "a name that is a path", planned(stated(plans_name="../../up")), ('plans_name: "../../up"',)
    ),
    Defect(
        "splines of order 99",
        planned(sized(resampling_fn_data_kwargs={"order": 99, "order_z": 0})),
        ("kwargs.order: 99",),
    ),
    Defect(
        "splines without order", planned(sized(resampling_fn_seg_kwargs={})), ("seg_kwargs.order",)
    ),
]

MODELS = [
    Defect(
        "no model",
        configured(experiments={"a": {"model": {"nnunet": "nowhere"}}}),
        ("nowhere/plans.json: found no", "nowhere/dataset.json: found no", "fold_0"),
    ),
    Defect(
        "no checkpoint of a fold",
        modelled(lambda folder: shutil.rmtree(folder / "fold_0")),
        ("checkpoint_final.pth: found no such file",),
    ),
    Defect(
        "a model's dataset.json cut",
        modelled(written("dataset.json", b'{"labels"')),
        ("model/dataset.json: found JSON that is cut off",),
    ),
    Defect(
        "a model's plans cut",
        modelled(written("plans.json", b"{")),
        ("model/plans.json: found JSON that is cut off",),
    ),
    Defect(
        "a model's plans in a list",
        modelled(written("plans.json", b"[]")),
        ("model/plans.json: found a list",),
    ),
    Defect(
        "a model's folds in text",
        modelled(written("splits_final.json", b'["a"]')),
        ("model/splits_final.json: found fold 0",),
    ),
    Defect(
        "no pretrained weights",
        configured(training={"pretrained": "nowhere.pth"}),
        ("training.pretrained: found nowhere.pth",),
    ),
]

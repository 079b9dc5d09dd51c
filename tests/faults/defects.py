"""Documents that are wrong, each spoilt in one way, and the words that its message must hold.

Documents are dataset.json, names of cases, splits_final.json, plans.json, folders of models and the
config. All of these are found before the first job.
"""

from __future__ import annotations

import shutil

from faults.spoiling import (
    GOLDEN_PLAN,
    Defect,
    built,
    called,
    configured,
    decathlon,
    described,
    folder_in_its_place,
    folds,
    huge,
    in_three_dimensions,
    intensities,
    listed,
    missing,
    modelled,
    named_network,
    pair,
    part,
    pipe_in_its_place,
    plan_bytes,
    planned,
    raw_bytes,
    replaced,
    sized,
    stated,
    strides,
    written,
)

DEEP = b"[" * 200_000
LABELS = {"background": 0, "class1": 1, "class2": 2}

DESCRIPTIONS = [
    Defect("no dataset.json", missing, ("raw/dataset.json", "no such file", "datasets.mine.raw")),
    Defect("a folder for dataset.json", folder_in_its_place, ("dataset.json: found a folder",)),
    Defect("a pipe for dataset.json", pipe_in_its_place, ("something that is not a file",)),
    Defect("an empty dataset.json", raw_bytes(b""), ("found an empty file",)),
    Defect("blanks in dataset.json", raw_bytes(b" \n"), ("found an empty file",)),
    Defect("no JSON", raw_bytes(b"labels: {}"), ("text that is not JSON",)),
    Defect("JSON cut off", raw_bytes(b'{"labels": {"backgro'), ("JSON that is cut off",)),
    Defect("JSON cut after a comma", raw_bytes(b'{"a": 1,'), ("JSON that is cut off",)),
    Defect("a list", raw_bytes(b"[1, 2]"), ("found a list at its top level",)),
    Defect("a number", raw_bytes(b"3"), ("found a number or null at its top level",)),
    Defect("not UTF-8", raw_bytes(b'{"a": "\xff\xfe"}'), ("text that is not UTF-8",)),
    Defect("UTF-16", raw_bytes('{"a": 1}'.encode("utf-16")), ("text that is not UTF-8",)),
    Defect("half a character", raw_bytes(b'{"a": "\\ud800"}'), ("text that is not UTF-8",)),
    Defect("a pickle", raw_bytes(b"\x80\x04N."), ("found a pickle, which is never opened",)),
    Defect("200,000 brackets", raw_bytes(DEEP), ("nested too deep",)),
    Defect("200,000 objects", raw_bytes(b'{"a":' * 200_000), ("nested too deep",)),
    Defect("a terabyte", huge, ("a file of 1,099,511,627", "more than 33,554,432")),
    Defect(
        "an endless number", raw_bytes(b'{"a": ' + b"9" * 5000 + b"}"), ("thousands of digits",)
    ),
    Defect("a key twice", replaced('"class2": 2', '"class2": 2, "class2": 3'), ("'class2' twice",)),
    Defect("NaN", replaced('"class2": 2', '"class2": NaN'), ("found NaN",)),
    Defect("no labels", described(labels=None), ("found no labels",)),
    Defect("labels in a list", described(labels=["a"]), ('found labels: ["a"]',)),
    Defect("background alone", described(labels={"background": 0}), ("found labels:",)),
    Defect("no background", described(labels={"a": 1, "b": 2}), ("no background",)),
    Defect("another background", described(labels={"background": 1, "a": 2}), ("background = 1",)),
    Defect("a gap", described(labels={"background": 0, "a": 1, "b": 3}), ("[3] after a gap",)),
    Defect("a negative label", described(labels={"background": 0, "a": -1}), ("labels.a: -1",)),
    Defect("a label of 1.5", described(labels={"background": 0, "a": 1.5}), ("labels.a: 1.5",)),
    Defect("a label twice", described(labels=LABELS | {"b": 1}), ("a value of its own",)),
    Defect("a label null", described(labels=LABELS | {"b": {}}), ("labels.b: {}",)),
    Defect("a region without order", described(labels=LABELS | {"w": [1, 2]}), ("class_order",)),
    Defect("an ignored region", described(labels=LABELS | {"ignore": [3]}), ("labels.ignore",)),
    Defect("no channel_names", described(channel_names=None), ("found no channel_names",)),
    Defect("channels by name", described(channel_names={"T1": "T1"}), ('"T1" cannot be a name',)),
    Defect("a gap of channels", described(channel_names={"0": "a", "2": "b"}), ("channels 0, 2",)),
    Defect("a numbered channel", described(channel_names={"0": 1}), ("channel_names.0: 1",)),
    Defect("no numTraining", described(numTraining=None), ("found no numTraining",)),
    Defect("numTraining in words", described(numTraining="4"), ('found numTraining: "4"',)),
    Defect("a wrong numTraining", described(numTraining=7), ("found numTraining 7", "expected 4")),
    Defect("another ending", described(file_ending=".nrrd"), ('file_ending: ".nrrd"', ".nii.gz")),
    Defect("no cases", described(file_ending=".nii"), ("found no cases", "CASE_0000.nii")),
    Defect("no images", lambda run: shutil.rmtree(run.raw / "imagesTr"), ("found no cases",)),
    Defect(
        "a listing with a channel too many",
        listed(a={"images": ["a.nii.gz", "b.nii.gz"], "label": "a.nii.gz"}),
        ("dataset.a.images: 2 files", "1, one for each channel"),
    ),
    Defect("a listing without label", listed(a={"images": ["a"]}), ("found no dataset.a.label",)),
    Defect("a listing of no objects", listed(a=[1]), ("dataset.a: [1]",)),
    Defect(
        "a Decathlon path from the root",
        decathlon(pair("case_02", image="/etc/passwd_0000.nii.gz")),
        ("training[2].image: '/etc/passwd_0000.nii.gz'", "below"),
    ),
    Defect(
        "a Decathlon path upwards",
        decathlon(pair("case_02", label="../../secret.nii.gz")),
        ("training[2].label: '../../secret.nii.gz'", "without .."),
    ),
    Defect("a Decathlon entry that is text", decathlon("a.nii.gz"), ('training[2]: "a.nii.gz"',)),
    Defect(
        "a Decathlon entry without label",
        decathlon({"image": "a"}),
        ("found no training[2].label",),
    ),
    Defect("a Decathlon case twice", decathlon(pair("case_00")), ("2 entries of the case",)),
    Defect("no Decathlon image", decathlon(pair("case_02", image="notes.txt")), ("notes.txt",)),
]

LONG = "n" * 201
NAMES = [
    *(
        Defect(f"the name {name!r}", called(name), (words,))
        for name, words in [
            ("with space", "holds ' '"),
            ("tab\tbed", r"holds '\t'"),
            ("new\nline", r"holds '\n'"),
            ("esc\x1b[31m", r"holds '\x1b'"),
            ("no\xa0break", r"holds '\xa0'"),
            ("right\u202eleft", r"holds '\u202e'"),
            ("zero\u200bwidth", r"holds '\u200b'"),
            ("byte\udcff", r"holds '\udcff'"),
            *((f"a{sign}b", f"holds {sign!r}") for sign in "{}[]()<>\"'`$;&|*?!~#^\\"),
            ("-rf", "starts with -"),
            ("..", "found no cases"),
            (LONG, "has 201 bytes"),
            ("ä" * 101, "has 202 bytes"),
            ("preprocessing", "a file of ours"),
            ("group-0.manifest", "a file of ours"),
        ]
        if name != ".."
    ),
    Defect(
        "the name of a listed case with a slash",
        listed(**{"../x": {"images": ["a"], "label": "b"}}),
        ("'../x'", "starts with ."),
    ),
    Defect("an empty name", listed(**{"": {"images": ["a"], "label": "b"}}), ("which is empty",)),
    Defect("x and x_seg", called("x", "x_seg"), ("'x' and 'x_seg'", "x_seg.npy")),
    Defect("upper and lower case", called("a", "A"), ("'A' and 'a'", "upper and lower case")),
    Defect("two ways to write ü", called("\xfc", "u\u0308"), ("composition",)),
]

TWO = [part(["case_00", "case_01"], ["case_02"]), part(["case_02"], ["case_00", "case_03"])]
FOLDS = [
    Defect("fewer cases than folds", configured(cross_validation={"folds": 5}), ("found 4 cases",)),
    Defect("folds that are no JSON", folds("- train"), ("splits_final.json: found text that",)),
    Defect("empty folds", folds(""), ("splits_final.json: found an empty file",)),
    Defect("folds in an object", folds(part([], [])), ("found an object at its top level",)),
    Defect("folds without val", folds([{"train": ["case_00"]}, TWO[1]]), ("found fold 0: {",)),
    Defect("cases that are numbers", folds([part([1], [2]), TWO[1]]), ("found fold 0: {",)),
    Defect("an unknown case", folds([part(["case_00"], ["x"]), TWO[1]]), ("unknown: 'x'",)),
    Defect(
        "train and val", folds([part(["case_00"], ["case_00"]), TWO[1]]), ("in both: 'case_00",)
    ),
    Defect(
        "a case twice", folds([part(["case_00"] * 2, ["case_01"]), TWO[1]]), ("twice: 'case_00",)
    ),
    Defect("an empty val", folds([part(["case_00"], []), TWO[1]]), ("0 in val",)),
    Defect("one fold of two", folds(TWO[:1]), ("found 1 folds, expected 2", "folds: 1")),
    Defect("three folds of two", folds([*TWO, TWO[0]]), ("found 3 folds, expected 2",)),
]

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

CONFIGS = [
    Defect(
        "raw scans nowhere",
        configured(datasets={"mine": {"raw": "nowhere"}}),
        ("nowhere/dataset.json: found no such file",),
    ),
    Defect(
        "raw scans in a file",
        lambda run: {"datasets": {"mine": {"raw": str(run.raw / "dataset.json")}}},
        ("dataset.json/dataset.json: found",),
    ),
    Defect(
        "results in the raw scans",
        lambda run: {"results": str(run.raw / "results")},
        ("results: found", "overlaps with datasets.mine.raw"),
    ),
    Defect(
        "raw scans in the results",
        lambda run: {"results": str(run.folder)},
        ("results: found", "overlaps with datasets.mine.raw"),
    ),
    Defect(
        "results in a file",
        lambda run: {"results": str(run.raw / "dataset.json" / "x")},
        ("results: found", "is a file"),
    ),
    Defect(
        "a misspelt key",
        configured(training={"epoch": 3}),
        ("training.epoch: unknown key", "did you mean epochs?"),
    ),
    Defect(
        "a wrong type", configured(training={"epochs": "many"}), ('training.epochs: found "many"',)
    ),
    Defect(
        "a batch of 10^9 in the config",
        configured(training={"batch_size": HUGE}),
        ("training.batch_size: found 1000000000",),
    ),
    Defect(
        "a fold that is not there",
        configured(cross_validation={"folds": 2, "run": [2]}),
        ("cross_validation.run: found fold 2",),
    ),
    Defect(
        "two datasets of one folder",
        lambda run: {"datasets": {"a": {"raw": str(run.raw)}, "A": {"raw": str(run.raw)}}},
        ("datasets", "upper and lower case"),
    ),
    Defect(
        "a dataset with a path for a name",
        configured(datasets={"../x": {"phantom": {}}}),
        ("cannot be a name here",),
    ),
]

ALL = [*DESCRIPTIONS, *NAMES, *FOLDS, *PLANS, *MODELS, *CONFIGS]

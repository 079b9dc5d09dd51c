"""Documents that are wrong, each spoilt in one way, and the words that its message must hold.

Documents are dataset.json, names of cases, splits_final.json and the config, and with them those of
`plan_defects`. All are found before the first job.
"""

from __future__ import annotations

import shutil

from faults.plan_defects import DEEP, MODELS, PLANS
from faults.spoilt_documents import (
    Defect,
    called,
    configured,
    decathlon,
    described,
    folder_in_its_place,
    folds,
    huge,
    listed,
    missing,
    pair,
    part,
    pipe_in_its_place,
    raw_bytes,
    replaced,
)

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
    Defect("mathematics", described(labels=LABELS | {r"$\foo$": 3}), (r"the label '$\\foo$'",)),
    Defect("a label with a bell", described(labels=LABELS | {"b\a": 3}), (r"the label 'b\x07'",)),
    Defect("a label null", described(labels=LABELS | {"b": {}}), ("labels.b: {}",)),
    Defect("a region without order", described(labels=LABELS | {"w": [1, 2]}), ("class_order",)),
    Defect("an ignored region", described(labels=LABELS | {"ignore": [3]}), ("labels.ignore",)),
    Defect("no channel_names", described(channel_names=None), ("found no channel_names",)),
    Defect("channels by name", described(channel_names={"T1": "T1"}), ('"T1" cannot be a name',)),
    Defect(
        "a gap of channels",
        described(channel_names={"0": "a", "2": "b"}),
        ("found the channels 0, 2, expected the channels 0, 1",),
    ),
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
    Defect(
        "a listing with a path that is none",
        listed(a={"images": ["a\0b"], "label": "a"}),
        (r"dataset.a: 'a\x00b'",),
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
    Defect(
        "Decathlon labels without names",
        lambda run: decathlon()(run) or described(labels={"0": "background", "1": [1]})(run),
        ("labels: the name [1]", "text, as the key is the number"),
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
            (LONG, "has 201 bytes"),
            ("ä" * 101, "has 202 bytes"),
            ("preprocessing", "a file of ours"),
            ("group-0.manifest", "a file of ours"),
        ]
    ),
    Defect(
        "the name of a listed case with a slash",
        listed(**{"../x": {"images": ["a"], "label": "b"}}),
        ("'../x'", "starts with ."),
    ),
    Defect("an empty name", listed(**{"": {"images": ["a"], "label": "b"}}), ("which is empty",)),
    Defect("x and x_seg", called("x", "x_seg"), ("'x' and 'x_seg'", "x_seg.npy")),
    Defect("upper and lower case", called("a", "A"), ("'A' and 'a'", "upper and lower case")),
    Defect("two ways to write ü", called("\xfc", "u\u0308"), ("how letters are composed",)),
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
    Defect("one fold of two", folds(TWO[:1]), ("found 1 fold, expected 2; mend it",)),
    Defect("three folds of two", folds([*TWO, TWO[0]]), ("found 3 folds, expected 2",)),
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
        configured(training={"batch_size": 10**9}),
        ("training.batch_size: found 1000000000",),
    ),
    Defect(
        "a million threads",
        configured(training={"threads": 10**6, "loader_workers": 10**6}),
        ("training.threads: found 1000000", "training.loader_workers: found 1000000"),
    ),
    Defect(
        "resamples that fill the memory",
        configured(figures={"resamples": 10**12}),
        ("figures.resamples: found 1000000000000",),
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

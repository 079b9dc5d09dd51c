"""The configs of the Decathlon's ten tasks, and an archive as it packs them."""

import hashlib
import json
import re
import tarfile

import nibabel as nib
import numpy as np
import pytest
import yaml

from slicewise.config import load
from slicewise.dataset import ImageSource
from slicewise.files import write_nifti
from slicewise.unpacked import open_unpacked
from test_workflow import checkout
from unpack_archive import main as unpack

TASKS = [
    "Task01_BrainTumour",
    "Task02_Heart",
    "Task03_Liver",
    "Task04_Hippocampus",
    "Task05_Prostate",
    "Task06_Lung",
    "Task07_Pancreas",
    "Task08_HepaticVessel",
    "Task09_Spleen",
    "Task10_Colon",
]


@pytest.fixture
def configs(root):
    return sorted((root / "config" / "decathlon").glob("*.yaml"))


def test_each_task_has_a_config_with_its_archive_and_a_checksum_of_its_own(configs):
    found, checksums = [], set()
    for path in configs:
        loaded = load(yaml.safe_load(path.read_text(encoding="utf-8")), [path])
        ((name, dataset),) = loaded["datasets"].items()
        bucket, _, archive = dataset["archive"].rpartition("/")
        assert bucket == "https://msd-for-monai.s3-us-west-2.amazonaws.com"
        task = archive.removesuffix(".tar")
        assert path.stem == f"{task[:6].lower()}_{name}"
        assert name.replace("_", "") == task[7:].lower()
        assert f"# {task} of the Medical Segmentation Decathlon" in path.read_text(encoding="utf-8")
        found.append(task)
        checksums.add(dataset["md5"])
    assert found == TASKS
    assert len(checksums) == 10


def test_all_of_them_can_be_run_at_once(root, configs, tmp_path):
    done = checkout(root, tmp_path).snakemake("-n", "--configfile", *map(str, configs))
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert len(set(re.findall(r"downloading https://\S+/(Task\S+)\.tar", said))) == 10


@pytest.fixture
def prostate(tmp_path):
    """Write an archive as Task05_Prostate is: images of two channels, and what macOS adds."""
    folder = tmp_path / "Task05_Prostate"
    names = [f"prostate_{index:02d}.nii.gz" for index in range(5)]
    for part, channels in (("imagesTr", [2]), ("labelsTr", []), ("imagesTs", [2])):
        shape = (6, 5, 3, *channels)
        (folder / part).mkdir(parents=True)
        for name in names:
            voxels = np.arange(np.prod(shape)).reshape(shape) % 3
            write_nifti(folder / part / name, nib.Nifti1Image(voxels.astype(np.int16), np.eye(4)))
            (folder / part / f"._{name}").write_bytes(b"of macOS")
    description = {
        "name": "PROSTATE",
        "licence": "CC-BY-SA 4.0",
        "relase": "1.0 04/05/2018",  # spelt so in the Decathlon's files
        "tensorImageSize": "4D",
        "modality": {"0": "T2", "1": "ADC"},
        "labels": {"0": "background", "1": "PZ", "2": "TZ"},
        "numTraining": 5,
        "numTest": 5,
        "training": [{"image": f"./imagesTr/{n}", "label": f"./labelsTr/{n}"} for n in names],
        "test": [f"./imagesTs/{n}" for n in names],
    }
    (folder / "dataset.json").write_text(json.dumps(description))
    (folder / "._dataset.json").write_bytes(b"of macOS")
    archive = tmp_path / "Task05_Prostate.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(folder, "./Task05_Prostate")
    return archive


def test_an_archive_of_the_decathlon_is_read_as_it_is(prostate, tmp_path):
    checksum = hashlib.md5(prostate.read_bytes()).hexdigest()
    unpack(archive=str(prostate), checksum=checksum, raw=str(tmp_path / "raw"))
    dataset = open_unpacked(tmp_path / "raw", folds=5)
    assert dataset.cases() == [f"prostate_{index:02d}" for index in range(5)]
    assert dataset.channel_names == ["T2", "ADC"]
    assert dataset.named_labels == {"background": 0, "PZ": 1, "TZ": 2}
    image = dataset.root / "imagesTr" / "prostate_03.nii.gz"
    assert dataset.case("prostate_03").images == (ImageSource(image, 0), ImageSource(image, 1))
    assert list(tmp_path.rglob("raw/**/._*")) == []

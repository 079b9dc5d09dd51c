"""The checksums of a group of cases."""

import hash_cases
from scans import write_dataset
from slicewise.checksums import read_checksums, sha256


def test_every_image_and_label_of_the_group_is_hashed(tmp_path):
    path = write_dataset(tmp_path / "raw", [(6, 6, 4)] * 3, channels=("a", "b"))
    out = tmp_path / "group.sha256"
    hash_cases.main(dataset_json=path, cases=["case_00", "case_02"], checksums=out)
    found = read_checksums(out)
    assert list(found) == [
        *(f"imagesTr/case_{case}_000{channel}.nii.gz" for case in ("00", "02") for channel in "01"),
        "labelsTr/case_00.nii.gz",
        "labelsTr/case_02.nii.gz",
    ]
    assert found["labelsTr/case_02.nii.gz"] == sha256(path.parent / "labelsTr/case_02.nii.gz")

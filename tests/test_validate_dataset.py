"""The table of problems of a dataset, and what is a problem of several cases together."""

import json
import logging
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import validate
import validate_dataset
from chain import Chain, analyse
from scans import affine_of, write_dataset, write_decathlon
from slicewise.problems import ERROR, WARNING, BadInput, errors_of, read_tables


@pytest.fixture
def raw(tmp_path):
    return write_dataset(tmp_path / "raw", [(8, 9, 6)] * 4)


@pytest.fixture
def chain(raw, tmp_path):
    return Chain(raw, tmp_path)


def validated(chain):
    """Return the problems of a dataset without errors."""
    analyse(chain, groups=2)
    return read_tables([chain.validation])


def test_a_good_dataset_has_an_empty_table(chain):
    assert validated(chain) == []
    assert chain.validation.read_text() == "severity,case,file,found,expected,mend\n"


def test_the_same_scan_under_two_names_is_a_warning_across_groups(raw, chain):
    images = raw.parent / "imagesTr"
    for name in ("case_01", "case_03"):
        shutil.copy(images / "case_00_0000.nii.gz", images / f"{name}_0000.nii.gz")
    found = validated(chain)
    assert [(one.severity, one.case, one.found) for one in found] == [
        (WARNING, "case_01", "the voxels of case case_00"),
        (WARNING, "case_03", "the voxels of case case_00"),
    ]


def test_a_dataset_without_any_foreground_is_refused(raw, chain):
    for path in (raw.parent / "labelsTr").iterdir():
        nib.save(nib.Nifti1Image(np.zeros((8, 9, 6), np.uint8), nib.load(path).affine), path)
    with pytest.raises(BadInput, match=r"found no foreground in any label, expected .*class1"):
        analyse(chain, groups=2)
    found = read_tables([chain.validation])
    assert [problem.severity for problem in found] == [ERROR] + 4 * [WARNING]


def test_a_label_without_an_image_names_what_lies_there_instead(raw, chain):
    image = raw.parent / "imagesTr/case_02_0000.nii.gz"
    image.rename(image.with_name("case_02.nii.gz"))
    found = {problem.file: problem.found for problem in validated(chain)}
    label = str(raw.parent / "labelsTr/case_02.nii.gz")
    assert found[label] == "a label without an image, beside case_02.nii.gz"
    assert found[str(image.with_name("case_02.nii.gz"))] == "an image that is no channel of a case"


def test_all_problems_of_a_case_are_found_whatever_else_is_wrong_with_it(raw, chain):
    """An image that is cut off is no reason not to look at the label, nor the other way round."""
    image = raw.parent / "imagesTr/case_01_0000.nii.gz"
    image.write_bytes(image.read_bytes()[:-3])
    label = raw.parent / "labelsTr/case_01.nii.gz"
    other = affine_of("RAS", (1, 1, -3.5))
    nib.save(nib.Nifti1Image(np.full((8, 9, 5, 1), 9, np.uint8), other), label)
    (raw.parent / "labelsTr/case_02.nii.gz").unlink()
    voxels = np.full((8, 9, 6), np.nan, np.float32)
    nib.save(nib.Nifti1Image(voxels, other), raw.parent / "imagesTr/case_02_0000.nii.gz")
    with pytest.raises(BadInput, match="errors to mend") as refused:
        analyse(chain, groups=3)
    found = [(problem.case, problem.found.split("(")[0]) for problem in refused.value.problems]
    assert found == [
        ("case_01", "a gzip file that is cut off"),
        ("case_01", "4 dimensions "),
        ("case_01", "the values 9"),
        ("case_02", "432 voxels that are nan, infinite or too large for single precision"),
        ("case_02", "no such file"),
    ]


def test_rounded_affines_are_no_problem(raw, chain):
    """Labels written by other programs than their images differ by as much."""
    for path in (raw.parent / "labelsTr").iterdir():
        file = nib.load(path)
        noise = np.random.default_rng(0).uniform(-1e-3, 1e-3, (3, 4))
        affine = file.affine + np.vstack([noise, np.zeros((1, 4))])
        nib.save(nib.Nifti1Image(np.asarray(file.dataobj), affine), path)
    assert validated(chain) == []


def test_what_is_odd_about_the_grid_of_a_case_is_said_once(raw, chain):
    for kind in ("imagesTr/case_01_0000", "labelsTr/case_01"):
        path = raw.parent / f"{kind}.nii.gz"
        file = nib.load(path)
        sheared = file.affine + np.eye(4, k=1) * [0, 1, 0, 0]
        nib.save(nib.Nifti1Image(np.asarray(file.dataobj)[:, :, 2:3], sheared), path)
    found = [(Path(one.file).name, one.found.partition(",")[0]) for one in validated(chain)]
    name = "case_01_0000.nii.gz"
    shear = "an affine with axes that are not at right angles"
    assert found == [(name, "one slice"), (name, shear)]


def test_channels_in_one_4d_file_are_counted(tmp_path):
    dataset_json = write_decathlon(tmp_path / "raw", channels=("T2", "ADC"))
    chain = Chain(dataset_json, tmp_path)
    assert validated(chain) == []
    path = tmp_path / "raw/imagesTr/prostate_01.nii.gz"
    file = nib.load(path)
    for volumes in (1, 3):
        voxels = np.ones((*file.shape[:3], volumes), np.float32)
        nib.save(nib.Nifti1Image(voxels, file.affine), path)
        with pytest.raises(BadInput, match=rf"prostate_01.*found {volumes} channels, expected 2"):
            analyse(chain)


def test_errors_are_counted_and_listed_once_and_the_table_stays(raw, chain, caplog):
    (raw.parent / "labelsTr/case_02.nii.gz").unlink()
    with caplog.at_level(logging.INFO), pytest.raises(BadInput, match="error: case case_02: "):
        analyse(chain)
    assert "1 error and 0 warnings" in caplog.text
    assert "error: case case_02: " not in caplog.text
    assert len(errors_of(read_tables([chain.validation]))) == 1


def test_validation_fails_for_errors_and_names_warnings(raw, chain, caplog):
    shutil.copy(
        raw.parent / "imagesTr/case_00_0000.nii.gz", raw.parent / "imagesTr/case_01_0000.nii.gz"
    )
    validated(chain)
    with caplog.at_level(logging.INFO):
        validate.main(validations=[chain.validation])
    assert "warning: case case_01" in caplog.text
    (raw.parent / "labelsTr/case_02.nii.gz").unlink()
    with pytest.raises(BadInput):
        analyse(chain)
    with pytest.raises(BadInput, match=r"1 error and 1 warning in (.|\n)*warning: case case_01"):
        validate.main(validations=[chain.validation])


def test_the_order_of_the_groups_does_not_matter(raw, chain):
    for name in ("case_03", "case_00"):
        (raw.parent / f"labelsTr/{name}.nii.gz").write_bytes(b"")
    tables = []
    for groups in (1, 3):
        with pytest.raises(BadInput):
            analyse(chain, groups=groups)
        tables.append(chain.validation.read_bytes())
    assert tables[0] == tables[1]


def test_no_case_at_all_that_could_be_read_is_no_missing_foreground(raw, chain):
    for path in (raw.parent / "labelsTr").iterdir():
        path.write_bytes(b"")
    with pytest.raises(BadInput) as refused:
        analyse(chain)
    assert {problem.found for problem in refused.value.problems} == {"a file of 0 bytes"}
    assert validate_dataset.no_foreground({}, None) == []


@pytest.mark.parametrize("name", ["**x", "[x", "=1+1", "a\nb", "M\udcfcller", "esc\x1b[2J"])
def test_files_of_no_case_may_have_any_name(name, raw, chain):
    """A name that no case may have stands in the file's path alone, no formula of a spreadsheet."""
    (raw.parent / f"labelsTr/{name}.nii.gz").touch()
    (found,) = validated(chain)
    assert (found.case, found.found) == ("", "a label without an image")


@pytest.mark.parametrize(
    ("channels", "expected"),
    [(("CT",), "case_02_0000.nii.gz"), (("a", "b"), "case_02_0000.nii.gz to case_02_0001.nii.gz")],
)
def test_an_image_without_the_number_of_its_channel_is_told_its_name(tmp_path, channels, expected):
    chain = Chain(write_dataset(tmp_path / "raw", [(8, 9, 6)] * 2, channels=channels), tmp_path)
    odd = tmp_path / "raw/imagesTr/case_02.nii.gz"
    odd.touch()
    (found,) = validated(chain)
    assert (found.case, found.file, found.expected) == ("case_02", str(odd), expected)


@pytest.mark.parametrize(("ending", "other"), [(".nii.gz", ".nii"), (".nii", ".nii.gz")])
def test_files_of_the_other_ending_are_named(tmp_path, ending, other):
    """A dataset whose files are gzipped in part would lose the others without a word."""
    path = write_dataset(tmp_path / "raw", [(8, 9, 6)] * 2)
    content = json.loads(path.read_text()) | {"file_ending": ending}
    path.write_text(json.dumps(content))
    for file in tmp_path.glob("raw/*/*.nii.gz"):
        nib.save(nib.load(file), str(file).removesuffix(".nii.gz") + ".nii")
        if ending == ".nii":
            file.unlink()
    for name in ("imagesTr/case_00_0000", "labelsTr/case_00"):
        (tmp_path / f"raw/{name}{other}").touch()
    found = validated(Chain(path, tmp_path))
    assert {(one.found, one.expected) for one in found} == {
        (f"a file that ends with {other}", f"{ending}, the file_ending of dataset.json")
    }
    assert {one.case for one in found} >= {"case_00"}

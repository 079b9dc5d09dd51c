"""Thick slices of whole scans: files, grids, layouts and what follows from them."""

import json

import nibabel as nib
import numpy as np
import pytest

import describe_thickened
import thicken_cases
from scans import affine_of, write_case, write_dataset, write_decathlon, write_json_of
from slicewise import thickening
from slicewise.dataset import open_dataset
from slicewise.files import read_json, write_json, write_nifti
from slicewise.volumes import examine, read_images, read_label


def thicken(dataset_json, folder, axis=0, factor=3, profile="box", reorient=False):
    """Make thick slices of all cases of a dataset, and describe them; return their dataset."""
    source = open_dataset(dataset_json)
    write_json(folder / "orientation.json", {"reorient": reorient})
    settings = {"axis": axis, "factor": factor, "profile": profile}
    thicken_cases.main(
        dataset_json=dataset_json,
        orientation=folder / "orientation.json",
        cases=source.cases(),
        raw=folder / "raw",
        made=folder / "made.json",
        **settings,
    )
    describe_thickened.main(
        source=dataset_json, of="thin", dataset_json=folder / "raw/dataset.json", **settings
    )
    return open_dataset(folder / "raw/dataset.json")


def one_scan(folder, orientation="RAS", shape=(8, 9, 12), spacing=(1.0, 1.5, 2.0)):
    """Write a dataset of one case whose values are all different; return its dataset.json."""
    image = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    label = (image % 5 > 2).astype(np.uint8)
    write_case(folder, "a", [image], label, affine_of(orientation, spacing))
    return write_json_of(folder, 1, classes=1)


@pytest.mark.parametrize(("axis", "stored"), [(0, 2), (1, 1), (2, 0)])
def test_an_axis_is_counted_as_that_of_slices_is(tmp_path, axis, stored):
    thick = thicken(one_scan(tmp_path / "thin"), tmp_path / "thick", axis)
    image = nib.load(thick.case("a").images[0].path)
    spacing, shape = np.array([1.0, 1.5, 2.0]), [8, 9, 12]
    spacing[stored] *= 3
    shape[stored] = -(-shape[stored] // 3)
    assert image.shape == tuple(shape)
    np.testing.assert_allclose(image.header.get_zooms(), spacing)
    np.testing.assert_allclose(nib.affines.voxel_sizes(image.affine), spacing)


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "SRA", "PIR"])
@pytest.mark.parametrize(("plane", "letters"), [("axial", "IS"), ("sagittal", "LR")])
def test_a_plane_is_found_whatever_the_orientation(tmp_path, orientation, plane, letters):
    thin = one_scan(tmp_path / "thin", orientation)
    thick = thicken(thin, tmp_path / "thick", plane, reorient=True)
    before, after = (
        nib.load(dataset.case("a").images[0].path).shape for dataset in (open_dataset(thin), thick)
    )
    stored = next(i for i, letter in enumerate(orientation) if letter in letters)
    assert [a != b for a, b in zip(before, after, strict=True)] == [i == stored for i in range(3)]


def test_an_axis_of_scans_that_are_turned_is_that_of_ras(tmp_path):
    thin = one_scan(tmp_path / "thin", "SRA")
    thick = thicken(thin, tmp_path / "thick", 0, reorient=True)
    assert nib.load(thick.case("a").images[0].path).shape == (3, 9, 12)


def test_a_flipped_file_becomes_the_flipped_thick_one(tmp_path):
    """Eight slices by three: the slabs reach beyond both ends."""
    thin = one_scan(tmp_path / "thin", shape=(6, 7, 8))
    stored = nib.load(tmp_path / "thin/imagesTr/a_0000.nii.gz")
    for kind in ("imagesTr/a_0000", "labelsTr/a"):
        loaded = nib.load(tmp_path / f"thin/{kind}.nii.gz")
        flip = nib.orientations.axcodes2ornt("LAI")
        turned = loaded.as_reoriented(flip)
        write_nifti(tmp_path / f"turned/{kind}.nii.gz", turned)
    write_json(tmp_path / "turned/dataset.json", read_json(thin))
    found = [
        thicken(tmp_path / f"{name}/dataset.json", tmp_path / f"thick_{name}", "axial")
        for name in ("thin", "turned")
    ]
    for kind in ("imagesTr/a_0000", "labelsTr/a"):
        first, second = (nib.load(dataset.root / f"{kind}.nii.gz") for dataset in found)
        back = second.as_reoriented(nib.orientations.axcodes2ornt("LAI"))
        np.testing.assert_allclose(back.affine, first.affine, atol=1e-5)
        np.testing.assert_allclose(back.get_fdata(), first.get_fdata(), rtol=1e-6)
    assert stored.shape == (6, 7, 8)


def test_images_are_means_in_single_precision_and_labels_stay_whole_numbers(tmp_path):
    thick = thicken(one_scan(tmp_path / "thin"), tmp_path / "thick", factor=5)
    case = thick.case("a")
    image, label = nib.load(case.images[0].path), nib.load(case.label)
    assert (image.get_data_dtype(), label.get_data_dtype()) == (np.float32, np.uint8)
    thin = np.arange(8 * 9 * 12).reshape(8, 9, 12)
    expected = thickening.average(thin, thickening.profile_weights(12, 5, "box"), 2)
    np.testing.assert_array_equal(np.asarray(image.dataobj), expected)
    np.testing.assert_array_equal(image.affine, label.affine)


def test_scaled_images_are_averaged_as_they_are_meant(tmp_path):
    path = one_scan(tmp_path / "thin")
    image = nib.load(tmp_path / "thin/imagesTr/a_0000.nii.gz")
    image.header.set_slope_inter(0.5, -10)
    stored = nib.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header)
    stored.header.set_slope_inter(0.5, -10)
    nib.save(stored, tmp_path / "thin/imagesTr/a_0000.nii.gz")
    before = read_images(open_dataset(path).case("a"), reorient=False).image
    thick = thicken(path, tmp_path / "thick", factor=12)
    after = read_images(thick.case("a"), reorient=False).image
    np.testing.assert_allclose(after[:, 0], before.mean(axis=1), rtol=1e-5)


@pytest.mark.parametrize("codes", [(0, 0), (1, 0), (0, 2), (1, 4)])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_the_header_keeps_what_it_says_of_the_affine(tmp_path, codes, kind):
    path = one_scan(tmp_path / "thin", "LSP")
    for name in ("imagesTr/a_0000", "labelsTr/a"):
        file = tmp_path / f"thin/{name}.nii.gz"
        loaded = nib.load(file)
        image = kind(np.asarray(loaded.dataobj), loaded.affine)
        image.set_qform(loaded.affine, codes[0])
        image.set_sform(loaded.affine, codes[1])
        nib.save(image, file)
    thin = read_images(open_dataset(path).case("a"), reorient=False)
    thick = thicken(path, tmp_path / "thick", factor=5)
    case = thick.case("a")
    volume, _, problems = examine(case, thick.labels, reorient=False)
    expected, shape = thickening.thick_grid(thin.affine, thin.shape, 5, 2)
    np.testing.assert_allclose(volume.affine, expected, atol=1e-4)
    assert volume.shape == shape
    header = nib.load(case.images[0].path).header
    found = (int(header["qform_code"]), int(header["sform_code"]))
    # What has no affine gets none from its first kind of header; the other's is converted.
    assert found == codes or kind is nib.Nifti2Image
    assert [str(one) for one in problems if "sform_code" not in one.found] == []


def test_channels_of_a_4d_file_become_files_of_their_own(tmp_path):
    thin = write_decathlon(tmp_path / "thin", cases=2)
    thick = thicken(thin, tmp_path / "thick", factor=2)
    assert thick.channel_names == ["T2", "ADC"]
    assert thick.named_labels == {"background": 0, "PZ": 1, "TZ": 2}
    for name in ("prostate_00", "prostate_01"):
        before, after = (
            read_images(dataset.case(name), reorient=False)
            for dataset in (open_dataset(thin), thick)
        )
        assert after.image.shape == (2, 3, 16, 14)
        np.testing.assert_allclose(
            after.image, before.image.reshape(2, 3, 2, 16, 14).mean(axis=2), rtol=1e-6
        )
        assert after.spacing == (8.0, 1.0, 1.0)


def test_a_thick_dataset_is_one_that_nnunet_takes(tmp_path):
    thin = write_dataset(tmp_path / "thin", [(12, 14, 9)] * 2, channels=("CT", "PET"))
    write_json(thin, read_json(thin) | {"licence": "CC0", "training": [], "name": "Thin"})
    thick = thicken(thin, tmp_path / "thick", "axial", 4)
    content = json.loads(thick.json_path.read_text())
    assert content["licence"] == "CC0"
    assert content["channel_names"] == {"0": "CT", "1": "PET"}
    assert content["numTraining"] == 2
    assert "4 times" in content["description"]
    assert "training" not in content
    assert thick.cases() == ["case_00", "case_01"]
    assert thick.unused_files() == []


def test_a_dataset_is_described_before_its_scans_are_made(tmp_path):
    thin = write_json_of(tmp_path, 7)
    content = describe_thickened.describe(open_dataset(thin), "thin", 0, 3, "box")
    assert content["numTraining"] == 7


def test_regions_and_ignored_voxels_are_those_of_the_thin_slices(tmp_path):
    thin = one_scan(tmp_path / "thin")
    labels = {"background": 0, "whole": [1, 2], "core": 2, "ignore": 3}
    more = {"labels": labels, "regions_class_order": [1, 2]}
    write_json(thin, read_json(thin) | more)
    thick = thicken(thin, tmp_path / "thick")
    assert (thick.labels.classes, thick.labels.ignore) == ({"whole": (1, 2), "core": (2,)}, 3)
    label = read_label(thick.case("a"), thick.labels, reorient=False)
    assert set(np.unique(label)) <= {0, 1}


def test_the_list_of_what_was_made_is_written_last(tmp_path):
    thin = write_dataset(tmp_path / "thin", [(6, 6, 6)] * 2)
    (tmp_path / "thin/labelsTr/case_01.nii.gz").unlink()
    with pytest.raises(ValueError, match=r"case case_01: .*no such file"):
        thicken(thin, tmp_path / "thick")
    assert not (tmp_path / "thick/made.json").exists()


def test_two_runs_write_the_same_bytes(tmp_path):
    thin = one_scan(tmp_path / "thin")
    for folder in ("1", "2"):
        thicken(thin, tmp_path / folder, profile="gaussian")
    for name in ("imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz", "dataset.json"):
        first, second = ((tmp_path / folder / "raw" / name).read_bytes() for folder in "12")
        assert first == second

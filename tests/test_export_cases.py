"""Exported arrays."""

import numpy as np
import pytest

from chain import Chain, analyse, export, plan
from disk import inode_of, watch_disk
from scans import write_dataset, write_decathlon
from slicewise.files import read_json
from slicewise.slices import open_case


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    raw = write_dataset(folder / "raw", [(14, 16, 6)] * 4, spacing=(1, 1, 4), channels=("a", "b"))
    return export(plan(analyse(Chain(raw, folder))))


def test_an_image_is_slice_major_with_all_channels_of_a_slice_together(chain):
    case = open_case(chain.arrays, "case_00")
    assert case.image.shape == (6, 2, 16, 14)
    assert case.image.dtype == np.float32
    assert case.image[0].flags.c_contiguous


def test_arrays_are_opened_read_only_and_not_read(chain):
    case = open_case(chain.arrays, "case_00")
    assert isinstance(case.image, np.memmap)
    assert not case.image.flags.writeable


def test_the_slice_table_counts_the_exported_label(chain):
    case = open_case(chain.arrays, "case_01")
    expected = [(case.label == value).sum(axis=(1, 2)) for value in (1, 2)]
    np.testing.assert_array_equal(case.counts, expected)


def test_the_manifest_names_every_case(chain):
    manifest = read_json(chain.manifest)
    assert sorted(manifest) == chain.cases
    assert manifest["case_00"]["shape"] == [6, 2, 16, 14]
    assert manifest["case_00"]["label_type"] == "int8"


def test_the_manifest_changes_with_the_voxels(chain):
    manifest = read_json(chain.manifest)
    assert len({entry["sha256"] for entry in manifest.values()}) == len(manifest)


def test_a_second_export_gives_the_same_bytes(chain, tmp_path):
    again = export(Chain(chain.dataset_json, chain.folder))
    first = {path.name: path.read_bytes() for path in chain.arrays.iterdir()}
    export(again)
    assert first == {path.name: path.read_bytes() for path in chain.arrays.iterdir()}


def test_all_files_are_flushed_before_the_manifest_names_them(chain, tmp_path, monkeypatch):
    events = watch_disk(monkeypatch)
    export(chain)
    written = {inode_of(path) for path in chain.arrays.iterdir()}
    assert len(written) == 3 * len(chain.cases)
    before = events[: events.index(("named", inode_of(chain.manifest)))]
    assert written <= {inode for event, inode in before if event == "flushed"}


def test_a_missing_array_is_named(chain, tmp_path):
    with pytest.raises(ValueError, match=r"case nobody: .*nobody\.npy: found no such file"):
        open_case(chain.arrays, "nobody")


def test_the_decathlons_4d_images_become_channels(tmp_path):
    chain = export(plan(analyse(Chain(write_decathlon(tmp_path / "Task05"), tmp_path))))
    case = open_case(chain.arrays, "prostate_00")
    assert case.image.shape == (6, 2, 16, 14)
    np.testing.assert_allclose(case.image[:, 0], case.image[:, 1], atol=1e-5)

"""How slices are stacked in a dataset, and what is said where cases differ in that."""

from collections import Counter

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from chain import Chain, analyse
from scans import affine_of, volume, write_case, write_dataset, write_json_of
from slicewise.problems import WARNING, read_tables
from slicewise.stacks import decide_reorient

TILTED = {"PSL": (-0.72, 0.55, 0.42), "LSA": (-0.55, 0.72, 0.42)}
"""Letters of the axes and normals of two stacks of short-axis slices that are 14 degrees apart."""


@pytest.mark.parametrize(
    ("reorient", "orientations", "turned"),
    [
        ("auto", {"RAS": 2}, False),
        ("auto", {"LPS": 2}, False),
        ("auto", {"RAS": 1, "LPS": 1}, True),
        ("never", {"RAS": 1, "LPS": 1}, False),
        ("always", {"LPS": 2}, True),
    ],
)
def test_mixed_orientations_are_turned(reorient, orientations, turned):
    assert decide_reorient(reorient, Counter(orientations)) is turned


def oblique(normal, spacing=(1.5, 1.5, 8.0)):
    """Return the affine of slices across a normal, the first axis as level as may be."""
    normal = np.array(normal) / np.linalg.norm(normal)
    across = np.cross([0, 0, 1], normal)
    across /= np.linalg.norm(across)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([across, np.cross(normal, across), normal], axis=1) * spacing
    return affine


def read_by(chain):
    """Return the problems that are said of a dataset, and the coarsest axis of each case."""
    return read_tables([chain.validation]), list(pd.read_csv(chain.spacing)["coarsest_axis"])


@pytest.fixture
def hearts(tmp_path):
    """Return the chain of three hearts with one tilt and one with another."""
    stored = ["PSL", "PSL", "PSL", "LSA"]
    for index, letters in enumerate(stored):
        image, label = volume((12, 14, 6), index)
        affine = oblique(TILTED[letters])
        assert "".join(nib.aff2axcodes(affine)) == letters
        write_case(tmp_path / "raw", f"case_{index:02d}", [image], label, affine)
    return Chain(write_json_of(tmp_path / "raw", len(stored)), tmp_path)


def test_a_heart_tilted_another_way_is_named_where_turning_takes_its_stack_elsewhere(hearts):
    (found,), axes = read_by(analyse(hearts))
    assert axes == [2, 2, 2, 1]
    assert (found.severity, found.case) == (WARNING, "case_03")
    assert found.file.endswith("case_03_0000.nii.gz")
    assert found.found == "its thick slices along axis 1 (turned to RAS+ from LSA)"
    assert found.expected == "axis 2, as in 3 of 4 cases with thick slices"
    assert "preprocessing: {reorient: never}" in found.mend


def test_as_stored_all_hearts_are_stacked_along_one_axis(hearts):
    assert read_by(analyse(hearts, reorient="never")) == ([], [0, 0, 0, 0])


def test_what_is_stacked_elsewhere_in_the_file_too_is_not_mended_by_leaving_it_so(tmp_path):
    write_dataset(tmp_path / "raw", [(8, 9, 6)] * 3, (1, 1, 4))
    image, label = volume((8, 9, 6), 3)
    affine = affine_of("RAS", (4, 1, 1))
    write_case(tmp_path / "raw", "case_03", [image], label, affine)
    chain = Chain(write_json_of(tmp_path / "raw", 4), tmp_path)
    (found,), axes = read_by(analyse(chain))
    assert axes == [0, 0, 0, 2]
    assert (found.case, found.found) == ("case_03", "its thick slices along axis 2 (RAS)")
    assert found.mend == "store it as the others are, or take it out"


def test_voxels_that_are_hardly_longer_than_wide_say_nothing_of_stacks(tmp_path):
    for index, spacing in enumerate([(1, 1, 1.5), (1, 1.5, 1), (1, 1, 4)]):
        image, label = volume((8, 9, 6), index)
        affine = affine_of("RAS", spacing)
        write_case(tmp_path / "raw", f"case_{index:02d}", [image], label, affine)
    assert read_by(analyse(Chain(write_json_of(tmp_path / "raw", 3), tmp_path))) == ([], [0, 1, 0])

"""One NIfTI file: the voxels that nibabel would read, and nothing but whole files."""

import gzip
import os
import shutil
import struct
from contextlib import suppress
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scans import affine_of, peak_memory
from slicewise.nifti import open_nifti
from slicewise.problems import BadInput

VOXELS = np.arange(-60, 60).reshape(4, 5, 6)
AFFINE = affine_of("LSP", (1.0, 2.0, 3.5))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("kind", ["i1", "i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("klass", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("scaling", [None, (0.3, -7.0)])
def test_a_file_is_read_as_nibabel_reads_it(tmp_path, name, byte_order, kind, klass, scaling):
    header = klass.header_class(endianness=byte_order)
    header.set_data_dtype(byte_order + kind)
    made = klass(VOXELS.astype(byte_order + kind), AFFINE, header)
    if scaling:
        made.header.set_slope_inter(*scaling)
    path = tmp_path / name
    nib.save(made, path)
    found, expected = open_nifti("a", path), nib.load(path)
    voxels, wanted = found.values(), np.asarray(expected.dataobj)
    wanted = wanted.astype(np.float32) if wanted.dtype.kind == "f" else wanted
    np.testing.assert_array_equal(voxels, wanted)
    assert voxels.dtype == wanted.dtype
    np.testing.assert_array_equal(found.affine, expected.affine)
    assert found.zooms == expected.header.get_zooms()
    assert (found.shape, found.orientation) == ((4, 5, 6), "LSP")


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "scan.nii.gz"
    nib.save(nib.Nifti1Image(VOXELS.astype(np.int16), AFFINE), path)
    return path


def read(path):
    return open_nifti("a", path).values()


def test_scaled_voxels_take_no_double_precision_in_memory(tmp_path):
    path, voxels = tmp_path / "large.nii.gz", np.ones((128, 128, 64), np.int16)
    made = nib.Nifti1Image(voxels, AFFINE)
    made.header.set_slope_inter(0.5, -7)
    nib.save(made, path)
    stored, single = 2 * voxels.size, 4 * voxels.size
    assert peak_memory(read, path) < stored + 1.5 * single


def test_a_slope_of_0_scales_nothing(scan):
    content = bytearray(gzip.decompress(scan.read_bytes()))
    struct.pack_into("<2f", content, 112, 0, 5)
    scan.write_bytes(gzip.compress(content))
    np.testing.assert_array_equal(read(scan), VOXELS)


@pytest.mark.parametrize("behind", [b"", b"\0" * 3000, b"something else"])
def test_a_file_of_many_members_is_read_whole(scan, behind):
    """As bgzip writes one, with what some programs leave behind the last."""
    content = gzip.decompress(scan.read_bytes())
    members = [gzip.compress(content[start : start + 50]) for start in range(0, len(content), 50)]
    scan.write_bytes(b"".join(members) + behind)
    np.testing.assert_array_equal(read(scan), VOXELS)


@pytest.mark.parametrize(("cut", "flipped"), [(1, []), (4, []), (8, []), (0, [-8]), (0, [-1])])
def test_the_end_of_a_large_file_is_looked_at(tmp_path, cut, flipped):
    """Its checksum and its length come long after the last voxel was asked for."""
    path = tmp_path / "large.nii.gz"
    voxels = np.random.default_rng(0).integers(0, 2**15, (128, 128, 40), np.int16)
    nib.save(nib.Nifti1Image(voxels, AFFINE), path)
    np.testing.assert_array_equal(read(path), voxels)
    content = bytearray(path.read_bytes())
    for place in flipped:
        content[place] ^= 1
    path.write_bytes(content[: len(content) - cut])
    with pytest.raises(BadInput, match=r"cut off|checksum"):
        read(path)


def test_bytes_behind_the_voxels_do_no_harm(scan):
    scan.write_bytes(gzip.compress(gzip.decompress(scan.read_bytes()) + bytes(10**6)))
    np.testing.assert_array_equal(read(scan), VOXELS)


def test_a_header_alone_takes_no_more_than_the_first_bytes(scan):
    content = gzip.decompress(scan.read_bytes())
    scan.write_bytes(gzip.compress(content[:400]))
    assert open_nifti("a", scan, header_only=True).shape == (4, 5, 6)
    with pytest.raises(BadInput, match=r"found 24 voxels, expected those of its header"):
        read(scan)


@pytest.mark.parametrize(("old", "new"), [("scan.nii.gz", "b.nii"), ("b.nii", "scan.nii.gz")])
def test_a_wrong_ending_is_named(scan, old, new):
    if old == "b.nii":
        scan.with_name(old).write_bytes(gzip.decompress(scan.read_bytes()))
    path = Path(shutil.move(scan.with_name(old), scan.with_name(new)))
    with pytest.raises(BadInput, match=r"found a (gzip file|file that is not gzipped), expected"):
        read(path)


def test_a_file_without_permission_is_named(scan, monkeypatch):
    def refused(*_arguments, **_options):
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(BadInput, match=r"cannot be read \(Permission denied\).*permissions"):
        read(scan)


def test_a_device_is_refused_unread():
    with pytest.raises(BadInput, match="found a device"):
        read(Path("/dev/zero"))


def claim(path, shape, content=b""):
    """Write a header that claims a shape of bytes, and some content behind it."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(shape)
    header["vox_offset"] = 352
    whole = header.binaryblock + bytes(4) + content
    path.write_bytes(gzip.compress(whole) if path.suffix == ".gz" else whole)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("size", [300, 30000])
def test_a_header_that_claims_more_than_its_file_holds_takes_no_memory(tmp_path, name, size):
    path = tmp_path / name
    claim(path, (size,) * 3, bytes(1000))

    def refused():
        with pytest.raises(BadInput, match=r"which take .* bytes, in a file of"):
            read(path)

    assert peak_memory(refused) < 2**20


def test_what_follows_the_voxels_takes_no_memory(tmp_path):
    """A file of 100 kB that unpacks to 100 MB, most of it not claimed by its header."""
    path = tmp_path / "a.nii.gz"
    claim(path, (10, 10, 10), bytes(10**8))
    assert path.stat().st_size < 10**6
    assert peak_memory(read, path) < 8 * 2**20


@given(st.integers(0, 351), st.binary(min_size=1, max_size=8))
def test_whatever_a_header_holds_it_is_read_or_refused(tmp_path_factory, place, changed):
    path = tmp_path_factory.getbasetemp() / "any.nii"
    nib.save(nib.Nifti1Image(VOXELS.astype(np.int16), AFFINE), path)
    content = bytearray(path.read_bytes())
    content[place : place + len(changed)] = changed
    path.write_bytes(content[:592])
    with suppress(BadInput):
        found = open_nifti("a", path)
        assert found.values().shape == found.shape
        assert found.affine.shape == (4, 4)

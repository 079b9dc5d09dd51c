"""The step that lists the cases of an unpacked archive."""

from list_archive import main
from scans import write_dataset
from slicewise.files import read_json


def test_cases_are_listed_with_their_dataset_json(tmp_path):
    raw = write_dataset(tmp_path / "raw/Task09_Spleen", [(4, 4, 4)] * 2)
    main(raw=str(tmp_path / "raw"), folds=2, listing=str(tmp_path / "listing.json"))
    assert read_json(tmp_path / "listing.json") == {
        "dataset_json": str(raw),
        "cases": ["case_00", "case_01"],
    }

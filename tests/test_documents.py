"""JSON documents of users, read with care."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewise import documents
from slicewise.documents import read_document
from slicewise.problems import BadInput

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # A character cut in half can be written in JSON and nowhere else.
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), VALUES), st.booleans())
def test_what_json_writes_is_read_as_it_was(tmp_path_factory, content, plain):
    path = tmp_path_factory.mktemp("documents") / "a.json"
    path.write_text(json.dumps(content, ensure_ascii=plain), encoding="utf-8")
    assert read_document(path, "anything") == content


@given(st.binary())
def test_any_bytes_are_read_or_refused_by_the_name_of_the_file(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("documents") / "a.json"
    path.write_bytes(content)
    try:
        said = str(path) if isinstance(read_document(path, "anything"), dict) else ""
    except BadInput as refused:
        said = str(refused)
    assert said.startswith(str(path))


@given(st.data())
def test_a_document_that_is_cut_says_so(tmp_path_factory, data):
    text = json.dumps({"labels": {"background": 0, "a": [1, 2]}, "name": "b", "sure": True})
    end = data.draw(st.integers(1, len(text) - 1))
    path = tmp_path_factory.mktemp("documents") / "a.json"
    path.write_text(text[:end])
    with pytest.raises(BadInput, match="found JSON that is cut off"):
        read_document(path, "anything")


def test_a_message_has_what_was_expected_and_how_to_mend_it(tmp_path):
    with pytest.raises(BadInput) as refused:
        read_document(tmp_path / "none.json", "a plan", "write one")
    (problem,) = refused.value.problems
    assert (problem.found, problem.expected, problem.mend) == (
        "no such file",
        "a plan",
        "write one",
    )


def test_a_list_is_read_where_one_is_asked_for(tmp_path):
    (tmp_path / "a.json").write_text("[1]")
    assert read_document(tmp_path / "a.json", "folds", kind=list) == [1]


def test_the_bound_on_size_is_that_of_the_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text('{"a": 1}')
    monkeypatch.setattr(documents, "LARGEST", 8)
    assert read_document(path, "anything") == {"a": 1}
    monkeypatch.setattr(documents, "LARGEST", 7)
    with pytest.raises(BadInput, match="a file of 8 bytes, more than 7"):
        read_document(path, "anything")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("blank", ["", " ", "\u00a0", "\u2028\n"])
def test_blanks_of_any_kind_are_an_empty_file(tmp_path, mark, blank):
    path = tmp_path / "a.json"
    path.write_text(mark + blank, encoding="utf-8")
    with pytest.raises(BadInput, match=r"a\.json: found an empty file"):
        read_document(path, "anything")


def test_the_mark_that_editors_of_windows_write_in_front_is_passed_over(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": "\u00fc"}', encoding="utf-8-sig")
    assert read_document(path, "anything") == {"a": "\u00fc"}

"""Labels, regions and ignore: what dataset.json may say, and what probabilities decide on.

Expected values are those of nnU-Net 2.8.1's LabelManager for the same input.
"""

import numpy as np
import pytest

from slicewise.labels import parse_labels

HEART = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "scar": 3}


def test_plain_labels_come_in_the_order_of_their_values():
    labels = parse_labels({"background": 0, "b": 2, "a": 1})
    assert labels.values == (0, 1, 2)
    assert labels.classes == {"a": (1,), "b": (2,)}
    assert labels.keys == ("1", "2")
    assert (labels.outputs, labels.has_regions, labels.stored) == (3, False, (0, 1, 2))


def test_regions_come_in_the_order_of_dataset_json_without_a_background():
    labels = parse_labels(HEART, [1, 2, 3])
    assert list(labels.classes) == ["whole", "core", "scar"]
    assert labels.keys == ("(1, 2, 3)", "(2, 3)", "3")
    assert (labels.outputs, labels.has_regions, labels.values) == (3, True, (0, 1, 2, 3))


def test_a_region_may_hold_the_background():
    labels = parse_labels({"background": 0, "odd": [0, 1], "b": 2}, [1, 2])
    assert labels.classes == {"odd": (0, 1), "b": (2,)}
    assert labels.mask(np.array([0, 1, 2]), "odd").tolist() == [True, True, False]


def test_lists_of_one_label_are_no_regions():
    labels = parse_labels({"background": 0, "a": [1], "b": [2]})
    assert not labels.has_regions
    assert labels.keys == ("1", "2")


def test_the_ignore_label_is_stored_but_no_class():
    labels = parse_labels({"background": 0, "a": 1, "ignore": 2})
    assert (labels.ignore, labels.stored, labels.values) == (2, (0, 1, 2), (0, 1))
    assert (labels.outputs, list(labels.classes)) == (2, ["a"])


@pytest.mark.parametrize(
    ("labels", "order", "message"),
    [
        (
            {"background": 0, "a": 1, "b": 3},
            None,
            r"labels: found \[3\] after a gap, expected consecutive order \(0, 1, 2, \.\.\.\)",
        ),
        ({"background": 0, "a": 2}, None, r"found \[2\] after a gap"),
        ({"a": 1}, None, 'no background, expected "background": 0'),
        ({"background": 1, "a": 2}, None, "background = 1, expected"),
        ({"background": [0], "a": 1}, None, r"background = \[0\], expected"),
        ({"background": 0}, None, "no foreground"),
        ({"background": 0, "a": 1, "ignore": 3}, None, "found 3, expected 2, one above"),
        ({"background": 0, "a": 1, "ignore": 0}, None, "found 0, expected 2, one above"),
        ({"background": 0, "a": 1, "ignore": [2]}, None, r"found \[2\], expected one integer"),
        ({"background": 0, "a": 1.5}, None, "found 'a' = 1.5, expected an integer"),
        ({"background": 0, "a": True}, None, "found 'a' = True, expected an integer"),
        ({"background": 0, "a": 1, "b": 1}, None, "expected a value of its own for each"),
        (HEART, None, "regions_class_order: found nothing, expected"),
        (HEART, [1, 2], r"found \[1, 2\], expected a label from \[1, 2, 3\] for each"),
        (HEART, [1, 2, 4], r"found \[1, 2, 4\]"),
    ],
)
def test_labels_that_nnunet_would_not_accept_are_refused(labels, order, message):
    with pytest.raises(ValueError, match=message):
        parse_labels(labels, order)


def test_a_region_is_where_any_of_its_labels_is():
    labels = parse_labels(HEART, [1, 2, 3])
    label = np.array([0, 1, 2, 3])
    assert labels.mask(label, "whole").tolist() == [False, True, True, True]
    assert labels.mask(label, "core").tolist() == [False, False, True, True]
    assert labels.mask(label, "scar").tolist() == [False, False, False, True]


def test_probabilities_of_plain_labels_add_up_to_one():
    logits = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    found = parse_labels({"background": 0, "a": 1, "b": 2}).probabilities(logits)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(0), 1, rtol=1e-6)
    np.testing.assert_array_equal(found.argmax(0), logits.argmax(0))


def test_each_region_has_a_probability_of_its_own():
    found = parse_labels(HEART, [1, 2, 3]).probabilities(np.array([[0.0], [2.0], [-2.0]]))
    np.testing.assert_allclose(found[:, 0], [0.5, 0.880797, 0.119203], rtol=1e-6)


def test_regions_are_written_in_their_order_above_one_half():
    labels = parse_labels(HEART, [1, 2, 3])
    probabilities = np.array(
        [[0.9, 0.9, 0.9, 0.5, 0.1], [0.4, 0.6, 0.6, 0, 0.7], [0, 0.4, 0.7, 0, 0]]
    )
    assert labels.segment(probabilities).tolist() == [1, 2, 3, 0, 2]
    assert labels.segment(probabilities).dtype == np.uint8


def test_another_order_lets_the_larger_region_win():
    labels = parse_labels({"background": 0, "core": [2], "whole": [1, 2]}, [2, 1])
    assert labels.segment(np.array([[0.9], [0.9]])).tolist() == [1]


def test_of_equal_probabilities_the_first_label_wins():
    probabilities = np.array([[0.4, 0.2, 0.2], [0.4, 0.4, 0.3], [0.2, 0.4, 0.5]], np.float32)
    labels = parse_labels({"background": 0, "a": 1, "b": 2})
    assert labels.segment(probabilities).tolist() == [0, 1, 2]
    assert labels.segment(iter(probabilities)).tolist() == [0, 1, 2]


def test_logits_decide_as_their_probabilities_do():
    logits = np.array([[1, -1, -9.0], [3, -1, 0.5], [2, -2, 2.0]])
    assert parse_labels({"background": 0, "a": 1, "b": 2}).decide(logits).tolist() == [1, 0, 2]
    assert parse_labels(HEART, [1, 2, 3]).decide(logits).tolist() == [3, 0, 3]


def test_outside_of_what_was_predicted_is_background():
    plain = parse_labels({"background": 0, "a": 1})
    assert plain.segment(plain.nothing((2, 2))).tolist() == [[0, 0], [0, 0]]
    regions = parse_labels(HEART, [1, 2, 3])
    assert regions.segment(regions.nothing((2,))).tolist() == [0, 0]

"""Sentences: numbers and lists in words, and what settings have in common."""

import pytest

from slicewise.prose import (
    MOST_NAMED,
    MOST_STATED,
    Paragraph,
    about,
    as_markdown,
    counted,
    differences,
    edges,
    listed,
    referred,
    short,
    spread,
    stated,
)

ALL = [("heart", "a"), ("heart", "b"), ("brain", "a"), ("brain", "b")]


@pytest.mark.parametrize(
    ("items", "said"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_items_are_listed_as_in_a_sentence(items, said):
    assert listed(items) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "no cases"), (1, "one case"), (2, "two cases"), (24, "24 cases"), (1500, "1,500 cases")],
)
def test_things_are_counted_with_the_right_noun(number, said):
    assert counted(number, "case") == said


def test_a_plural_that_is_no_s_is_given():
    assert counted(2, "patch", "patches") == "two patches"


@pytest.mark.parametrize(
    ("number", "said"),
    [(80, "80"), (6.0051, "6.01"), (0.00003, "0.00003"), (7767312, "7,767,312"), (0.5, "0.5")],
)
def test_numbers_have_three_digits_and_no_exponent(number, said):
    assert short(number) == said


def test_a_spread_of_equal_values_is_one_value():
    assert spread([1.25, 1.25]) == "1.25"
    assert spread([3, 1, 2]) == "1 to 3"


def test_edges_are_joined_by_a_cross():
    assert edges((80, 56)) == "80 × 56"


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (ALL, ""),
        ([("heart", "a"), ("brain", "a")], "for a"),
        ([("heart", "a"), ("heart", "b")], "on heart"),
        ([("heart", "a")], "for a on heart"),
        ([("heart", "a"), ("brain", "b")], "for a on heart and for b on brain"),
    ],
)
def test_what_a_sentence_is_about_is_said_as_short_as_can_be(pairs, said):
    assert about(pairs, ALL) == said


def test_no_pair_is_named_that_is_not_there():
    """c runs on brain alone, so that "a and c on heart and brain" would speak of c on heart."""
    whole = [*ALL, ("brain", "c")]
    pairs = [("heart", "a"), ("brain", "a"), ("brain", "c")]
    assert about(pairs[:2], whole) == "for a"
    assert about([("heart", "b"), *pairs[2:]], whole) == "for b on heart and for c on brain"
    assert about([pair for pair in whole if pair[0] == "brain"], whole) == "on brain"


def test_what_all_have_is_said_once():
    values = dict.fromkeys(ALL, "9")
    assert stated("The patch was {}", "the patch", values) == "The patch was 9."


def test_what_differs_is_said_of_each():
    values = {pair: "9" if pair[1] == "a" else "8" for pair in ALL}
    assert stated("The patch was {}", "the patch", values) == "The patch was 9 for a and 8 for b."


def test_values_with_commas_are_kept_apart():
    values = {("heart", "a"): "1, 2", ("heart", "b"): "3"}
    assert stated("Stages: {}", "the stages", values) == "Stages: 1, 2 for a; 3 for b."


def test_values_of_several_experiments_are_kept_apart():
    values = dict(zip([("heart", name) for name in "abc"], "998", strict=True))
    assert stated("It was {}", "it", values) == "It was 9 for a and b; 8 for c."


def test_pairs_without_a_value_are_left_out_and_none_make_no_sentence():
    values = {("heart", "a"): "", ("heart", "b"): "3"}
    assert stated("The share was {}", "the share", values) == "The share was 3 for b."
    assert stated("The share was {}", "the share", dict.fromkeys(ALL, "")) == ""


def many(template, noun, tabled=False):
    """Return a sentence of more values than one in its place lists."""
    values = {("heart", str(i)): str(i) for i in range(MOST_STATED + 1)}
    return stated(template, noun, values, tabled)


def test_a_paragraph_ends_with_where_its_many_values_stand():
    said = (
        many("Patches were {}", "patches", tabled=True),
        many("The rate was {}", "the rate"),
        many("Kernels were {}", "kernels"),
        "It took a day.",
    )
    paragraph = referred(Paragraph("Training", said))
    assert paragraph.sentences == (
        "It took a day.",
        "For patches, see the table of plans.",
        "For the rate and kernels, see Settings that differed.",
    )


def test_what_the_table_does_not_hold_is_listed_in_full_at_the_end():
    said = (many("The rate was {}", "the rate"), many("Patches: {}", "patches", tabled=True))
    (end,) = differences([Paragraph("Training", said)])
    assert end.sentences == ("The rate was 0 for 0, 1 for 1, 2 for 2, 3 for 3 and 4 for 4.",)


def test_many_names_are_left_to_the_list_too():
    values = {("heart", str(i)): "9" if i < MOST_NAMED + 3 else "8" for i in range(MOST_NAMED + 6)}
    said = Paragraph("Training", (stated("The patch was {}", "the patch", values),))
    assert referred(said).sentences == ("For the patch, see Settings that differed.",)


def test_there_is_no_list_without_differences():
    assert differences([Paragraph("Training", ("It took a day.",))]) == []


def test_markdown_shows_names_as_they_are():
    assert as_markdown("left_*ventricle*|<b>") == r"left\_\*ventricle\*\|\<b\>"

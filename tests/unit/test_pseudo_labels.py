import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from semisup.cli import UserError
from semisup.pseudo_labels import (
    Accepted,
    HeldOut,
    Predictions,
    Rule,
    accepted_positions,
    accepted_rows,
    draw_candidates,
    held_out_rows,
    precision,
    predict,
    scaled_rule,
    split_held_out,
)

TOP = Rule("top", 3, 0.9, False)
THRESHOLD = Rule("threshold", 3, 0.9, False)
CLASSES = 3


def predictions(confidence, classes=None):
    """Return predictions of these confidences; of class 0 if nothing else is said."""
    confidence = np.array(confidence, np.float64)
    with np.errstate(divide="ignore"):
        log_odds = np.log(confidence) - np.log1p(-confidence)
    return Predictions(np.array(classes or [0] * len(confidence), np.int64), confidence, log_odds)


# What is accepted


def naive_positions(found, rule, classes):
    """Go through the images from the most confident one, of equals the first, and take what the rule lets through."""
    taken, of_class = [], [0] * classes
    for position in sorted(range(len(found.classes)), key=lambda place: (-found.confidence[place], place)):
        label = found.classes[position]
        sure = rule.accept == "top" or found.confidence[position] >= rule.threshold
        if rule.class_balanced:
            room = of_class[label] < rule.accepted // classes
        else:
            room = rule.accepted > 0 and (rule.accept == "threshold" or len(taken) < rule.accepted)
        if sure and room:
            taken.append(position)
            of_class[label] += 1
    return taken


@given(
    images=st.lists(
        st.tuples(st.integers(0, CLASSES - 1), st.sampled_from([0.4, 0.5, 0.8, 0.9, 0.95, 1.0])), max_size=25
    ),
    rule=st.builds(
        Rule, st.sampled_from(["top", "threshold"]), st.integers(0, 30), st.sampled_from([0.0, 0.5, 0.9]), st.booleans()
    ),
)
def test_accepted_positions_are_those_of_a_loop(images, rule):
    found = predictions([confidence for _, confidence in images], [label for label, _ in images])
    positions = accepted_positions(found, rule, CLASSES)
    assert positions.dtype == np.int64
    assert positions.tolist() == naive_positions(found, rule, CLASSES)


def test_top():
    found = predictions([0.5, 0.9, 0.7, 0.9, 0.6])
    assert accepted_positions(found, TOP, CLASSES).tolist() == [1, 3, 2], "of equals the first"
    assert accepted_positions(found, TOP._replace(accepted=9), CLASSES).tolist() == [1, 3, 2, 4, 0]


def test_images_that_are_surer_than_a_probability_can_tell():
    """Their probabilities are all rounded to 1."""
    found = predict(np.array([[50.0, 0.0], [0.0, 80.0], [300.0, 0.0], [45.0, 0.0]], np.float32))
    assert found.confidence.tolist() == [1, 1, 1, 1]
    assert accepted_positions(found, TOP, CLASSES).tolist() == [2, 1, 0]
    assert accepted_positions(found, THRESHOLD, CLASSES).tolist() == [2, 1, 0, 3]


def test_threshold():
    """All that reach it, also more than `accepted`."""
    found = predictions([0.9, 0.89, 1.0, 0.9, 0.95, 0.2])
    assert accepted_positions(found, THRESHOLD, CLASSES).tolist() == [2, 4, 0, 3]
    assert accepted_positions(found, THRESHOLD._replace(threshold=0.0), CLASSES).tolist() == [2, 4, 0, 3, 1, 5]


def test_class_balanced():
    """Seven images of three classes are two of each."""
    found = predictions([0.99, 0.98, 0.97, 0.96, 0.5, 0.4, 0.3], [0, 0, 0, 1, 1, 1, 2])
    rule = Rule("top", 7, 0.9, True)
    assert accepted_positions(found, rule, CLASSES).tolist() == [0, 1, 3, 4, 6]
    assert accepted_positions(found, rule._replace(accept="threshold"), CLASSES).tolist() == [0, 1, 3]
    assert accepted_positions(found, rule._replace(accepted=2), CLASSES).tolist() == []


@pytest.mark.parametrize("accept", ["top", "threshold"])
@pytest.mark.parametrize("class_balanced", [False, True])
def test_a_control_accepts_nothing(accept, class_balanced):
    rule = Rule(accept, 0, 0.5, class_balanced)
    assert accepted_positions(predictions([0.9, 1.0]), rule, CLASSES).tolist() == []
    assert accepted_positions(predictions([0.9, 1.0]), scaled_rule(rule, 40, 100, CLASSES), CLASSES).tolist() == []


def test_nothing_reaches_the_threshold():
    assert accepted_positions(predictions([0.5, 0.8]), THRESHOLD, CLASSES).tolist() == []
    assert accepted_rows(4, predictions([0.5, 0.8]), np.array([7, 8]), THRESHOLD, CLASSES) == []


def test_no_candidates():
    for rule in (TOP, THRESHOLD, TOP._replace(class_balanced=True)):
        assert accepted_positions(predictions([]), rule, CLASSES).tolist() == []


@pytest.mark.parametrize(
    ("accepted", "class_balanced", "images", "expected"),
    [
        (100, False, 250, 25),
        (100, False, 1000, 100),
        (0, False, 250, 0),
        (1, False, 250, 1),  # never less than one
        (84, True, 250, 21),  # 28 of each of three classes, now seven
        (92, True, 250, 24),  # 30 of each, now 7.5
        (3, True, 250, 3),
        (2, True, 250, 0),  # which is none of each
        (0, True, 250, 0),
    ],
)
def test_rule_for_another_number_of_images(accepted, class_balanced, images, expected):
    rule = Rule("top", accepted, 0.9, class_balanced)
    assert scaled_rule(rule, images, 1000, CLASSES) == rule._replace(accepted=expected)


def test_threshold_is_the_same_for_few_images():
    """Even where one image in a thousand would be none at all."""
    rule = scaled_rule(THRESHOLD._replace(accepted=1), 20, 1000, CLASSES)
    assert accepted_positions(predictions([0.95, 0.99, 0.5]), rule, CLASSES).tolist() == [1, 0]


def test_accepted_rows_name_the_images():
    found = predictions([0.6, 0.9, 0.8], [2, 0, 1])
    assert accepted_rows(5, found, np.array([70, 11, 42]), TOP._replace(accepted=2), CLASSES) == [
        Accepted(5, 11, 0, 0.9),
        Accepted(5, 42, 1, 0.8),
    ]


def test_held_out_rows_are_those_that_the_rule_would_accept():
    labels = np.array([0, 1, 2, 0, 1, 2])
    found = predictions([0.6, 0.9, 0.8, 0.7], [2, 0, 1, 1])
    rows = held_out_rows(5, found, np.array([1, 3, 4, 5]), labels, TOP._replace(accepted=5), 10, CLASSES)
    assert rows == [HeldOut(5, 3, 0, 0, 0.9), HeldOut(5, 4, 1, 1, 0.8)]  # half of four, as five of ten are
    assert held_out_rows(5, found, np.array([1, 3, 4, 5]), labels, TOP._replace(accepted=0), 10, CLASSES) == []


def test_precision():
    rows = [HeldOut(1, 0, label, predicted, 0.9) for label, predicted in ((0, 0), (1, 1), (2, 2), (1, 2))]
    assert precision(rows) == 0.75
    assert precision(rows[3:]) == 0
    assert precision([]) is None


# What is drawn


def test_candidates_are_distinct_and_the_seed_decides():
    first, same, other = (draw_candidates(60, 4, 15, seed) for seed in (0, 0, 1))
    assert first.shape == (4, 15)
    assert sorted(first.flatten()) == list(range(60))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    some = draw_candidates(1000, 4, 15, 0)
    assert len(np.unique(some)) == 60
    assert some.max() > 500, "from all the images"


def test_too_few_candidates():
    message = (
        r"^4 rounds of 16 candidates need 64 unlabeled images, and there are 63: "
        r"lower rounds or candidates, or raise unlabeled_images$"
    )
    with pytest.raises(UserError, match=message):
        draw_candidates(63, 4, 16, 0)


def test_held_out_images_are_apart_and_of_every_class():
    labels = np.repeat([0, 1, 2], [100, 60, 40])
    rows = np.random.default_rng(1).permutation(200)[:150]
    kept, out = split_held_out(rows, labels, 0.2, 3)
    assert (len(kept), len(out)) == (120, 30)
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, out])), np.sort(rows))
    assert np.all(np.diff(kept) > 0)
    assert np.all(np.diff(out) > 0)
    shares = np.bincount(labels[out]) / np.bincount(labels[rows])
    np.testing.assert_allclose(shares, 0.2, atol=0.02)

    same, other = (split_held_out(rows, labels, 0.2, seed)[1] for seed in (3, 4))
    np.testing.assert_array_equal(out, same)
    assert not np.array_equal(out, other)


@pytest.mark.parametrize(
    ("counts", "held_out"),
    [
        ([10, 10, 10], 0.05),  # two images for three classes
        ([10, 10, 10], 0.95),
        ([10, 10, 1], 0.5),
        ([10, 10, 10], 0.0),
        ([48, 48, 4], 0.1),  # 0.4 images of the last class
    ],
)
def test_too_few_images_to_hold_some_out(counts, held_out):
    labels = np.repeat(np.arange(3), counts)
    with pytest.raises(UserError, match=f"^held_out {held_out:g} of {sum(counts)} validation images leaves") as caught:
        split_held_out(np.arange(len(labels)), labels, held_out, 0)
    assert "\n" not in str(caught.value)


# Probabilities


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_predictions_are_those_of_softmax(temperature):
    scores = np.random.default_rng(0).normal(0, 3, (50, 7)).astype(np.float32)
    found = predict(scores, temperature)
    confidence, classes = torch.from_numpy(scores).double().div(temperature).softmax(dim=1).max(dim=1)
    np.testing.assert_array_equal(found.classes, classes)
    np.testing.assert_allclose(found.confidence, confidence, rtol=1e-12)
    np.testing.assert_allclose(found.log_odds, confidence.log() - (-confidence).log1p(), rtol=1e-6, atol=1e-9)
    assert found.confidence.dtype == np.float64


def test_predictions_of_scores_that_are_far_apart():
    found = predict(np.array([[1e4, 0.0], [-1e4, 0.0]], np.float32), 0.01)
    assert found.classes.tolist() == [0, 1]
    assert found.confidence.tolist() == [1, 1]

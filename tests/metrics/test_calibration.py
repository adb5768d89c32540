import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from halfsmile.metrics.calibration import (
    Temperature,
    adaptive_calibration_error,
    calibration_errors,
    classwise_calibration_error,
    fit_temperature,
    fit_vector_scaling,
    fit_vote_temperature,
    vote_errors,
)

Draw = tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]


def draw(count: int = 4000, classes: int = 5, *, sharpen: float = 1.0, seed: int = 0) -> Draw:
    """Logits whose softmax at temperature ``sharpen`` is the true probability of the targets."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(count, classes)) * 2
    cumulated = softmax(truth, axis=1).cumsum(axis=1)
    targets = (rng.random((count, 1)) > cumulated).sum(axis=1).clip(max=classes - 1)
    return truth * sharpen, targets


@pytest.mark.parametrize("sharpen", [0.4, 1.0, 3.0])
def test_temperature_finds_the_factor_that_made_the_logits_too_sharp(sharpen: float) -> None:
    assert fit_temperature(*draw(20000, sharpen=sharpen)).value == pytest.approx(sharpen, rel=0.05)


def test_a_few_faces_that_are_all_right_make_nothing_certain() -> None:
    targets = np.arange(14) % 7
    logits = 4.0 * np.eye(7)[targets]
    few = fit_temperature(logits, targets)
    many = fit_temperature(np.repeat(logits, 300, axis=0), np.repeat(targets, 300))
    assert 0.5 < few.value < 0.7
    assert few(logits).max() < 0.999
    assert many.value < 0.35
    assert fit_temperature(logits, targets, prior=0.0).value < 0.1


def test_temperature_agrees_with_scikit_learn() -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    frozen = pytest.importorskip("sklearn.frozen")
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    features = rng.normal(size=(1500, 6))
    targets = (features @ rng.normal(size=(6, 4)) * 2 + rng.gumbel(size=(1500, 4))).argmax(axis=1)
    model = linear.LogisticRegression(C=100.0).fit(features[:200], targets[:200])
    oracle = calibration.CalibratedClassifierCV(frozen.FrozenEstimator(model), method="temperature")
    oracle.fit(features[200:], targets[200:])
    ours = fit_temperature(model.decision_function(features[200:]), targets[200:], prior=0.0)
    expected = oracle.predict_proba(features[200:])
    np.testing.assert_allclose(ours(model.decision_function(features[200:])), expected, atol=2e-4)


@given(seed=st.integers(0, 50), value=st.floats(0.2, 5))
@settings(max_examples=20, deadline=None)
def test_temperature_never_changes_the_order(seed: int, value: float) -> None:
    logits, _ = draw(20, seed=seed)
    order = np.argsort(logits, axis=1)
    np.testing.assert_array_equal(np.argsort(Temperature(value)(logits), axis=1), order)


def test_vector_scaling_undoes_a_shifted_prior() -> None:
    logits, targets = draw(20000)
    shift = np.array([1.5, -0.5, 0.0, -1.0, 0.0])
    found = fit_vector_scaling(logits + shift, targets, penalty=0.0)
    np.testing.assert_allclose(found.weight, 1, atol=0.06)
    np.testing.assert_allclose(found.bias, -shift + shift.mean(), atol=0.1)


def test_vector_scaling_agrees_with_a_numerical_gradient() -> None:
    logits, targets = draw(400, sharpen=2.0)
    found = fit_vector_scaling(logits, targets, penalty=0.0)
    at = -log_softmax(logits * found.weight + found.bias, axis=1)[np.arange(400), targets].mean()
    for k in range(5):
        for step in (-0.02, 0.02):
            for weight, bias in ((step, 0.0), (0.0, step)):
                unit = np.eye(5)[k]
                moved = logits * (found.weight + weight * unit) + found.bias + bias * unit
                assert -log_softmax(moved, axis=1)[np.arange(400), targets].mean() > at


def test_calibration_lowers_every_error_on_other_samples() -> None:
    logits, targets = draw(8000, sharpen=3.0)
    fitted = fit_temperature(logits[:4000], targets[:4000])
    before = calibration_errors(softmax(logits[4000:], axis=1), targets[4000:])
    after = calibration_errors(fitted(logits[4000:]), targets[4000:])
    assert after.ece < 0.3 * before.ece
    assert after.adaptive < 0.3 * before.adaptive
    assert after.classwise < 0.5 * before.classwise
    assert after.nll < before.nll
    assert after.brier < before.brier


def test_errors_by_hand() -> None:
    probabilities = np.array([[0.8, 0.2], [0.8, 0.2], [0.4, 0.6], [0.4, 0.6]])
    targets = np.array([0, 1, 1, 1])
    assert adaptive_calibration_error(probabilities, targets, bins=2) == pytest.approx(0.5 * 0.3 + 0.5 * 0.4)
    expected = [(abs(1.6 - 1) + abs(0.8 - 0)) / 4, (abs(0.4 - 1) + abs(1.2 - 2)) / 4]
    np.testing.assert_allclose(classwise_calibration_error(probabilities, targets, bins=4), expected)
    assert calibration_errors(probabilities, targets).brier == pytest.approx((0.08 + 1.28 + 0.32 + 0.32) / 4)


def test_probabilities_that_were_drawn_from_are_calibrated() -> None:
    logits, targets = draw(50000)
    errors = calibration_errors(softmax(logits, axis=1), targets)
    assert max(errors.ece, errors.adaptive, errors.classwise) < 0.01


@pytest.mark.parametrize(
    ("logits", "targets", "message"),
    [
        (np.zeros((2, 3)), np.array([0]), "found shapes"),
        (np.array([[0.0, np.nan]]), np.array([0]), "1 rows of logits are not finite"),
        (np.zeros((1, 3)), np.array([3]), r"must lie in \[0, 3\)"),
    ],
)
def test_bad_input_is_named(
    logits: npt.NDArray[np.float64], targets: npt.NDArray[np.int64], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fit_temperature(logits, targets)


@pytest.mark.parametrize("sharpen", [0.4, 1.0, 3.0])
def test_the_temperature_of_votes_finds_their_shares(sharpen: float) -> None:
    """Ten people vote as the logits of the truth say."""
    truth, _ = draw(2000, sharpen=1.0)
    votes = np.random.default_rng(1).multinomial(10, softmax(truth, axis=1)) / 10
    found = fit_vote_temperature(truth * sharpen, votes)
    assert found.value == pytest.approx(sharpen, rel=0.05)
    good, bad = (vote_errors(scale(truth * sharpen), votes) for scale in (found, Temperature(9.0)))
    assert good.mean_error < bad.mean_error
    assert good.cross_entropy < bad.cross_entropy
    assert 0.9 < good.correlation <= 1


def test_votes_that_are_no_shares_are_refused() -> None:
    truth, _ = draw(5)
    for votes in (np.ones((5, 5)), np.ones((4, 5)) / 5, np.ones((5, 4)) / 4):
        with pytest.raises(ValueError, match=r"votes|targets"):
            fit_vote_temperature(truth, votes)

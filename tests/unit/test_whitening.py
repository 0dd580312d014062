import numpy as np
import pytest
from sklearn.decomposition import PCA

from semisup.whitening import fit_spectrum, pca_whitening, unwhitening_matrix, zca_matrix


def correlated_points(count=2000, dimension=12, seed=0):
    """Return float32 (count, dimension) points with a mean and eigenvalues from about 0.03 to 10."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(dimension, dimension)))
    scaled = rng.normal(size=(count, dimension)) * np.geomspace(0.15, 3.0, dimension)
    return (scaled @ rotation + rng.normal(size=dimension)).astype(np.float32)


@pytest.fixture(scope="module")
def points():
    return correlated_points()


@pytest.fixture(scope="module")
def spectrum(points):
    return fit_spectrum(lambda: iter([points]))


def test_spectrum_is_that_of_the_covariance(points, spectrum):
    exact = points.astype(np.float64)
    covariance = np.cov(exact.T)
    np.testing.assert_allclose(spectrum.mean, exact.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(spectrum.eigenvalues, np.linalg.eigvalsh(covariance), rtol=1e-4)
    vectors = spectrum.eigenvectors.astype(np.float64)
    np.testing.assert_allclose(vectors * spectrum.eigenvalues @ vectors.T, covariance, atol=1e-4)


@pytest.mark.parametrize("epsilon", [1e-6, 0.1, 4.0])
def test_covariance_of_whitened_points(points, spectrum, epsilon):
    """It is V diag(d / (d + epsilon)) V^T."""
    whitened = (points - spectrum.mean) @ zca_matrix(spectrum, epsilon)
    values, vectors = np.linalg.eigh(np.cov(points.astype(np.float64).T))
    expected = vectors * (values / (values + epsilon)) @ vectors.T
    np.testing.assert_allclose(np.cov(whitened.astype(np.float64).T), expected, atol=1e-3)


def test_inverse_square_root_of_the_covariance(points, spectrum):
    matrix = zca_matrix(spectrum, 1e-9).astype(np.float64)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-4)
    np.testing.assert_allclose(matrix @ np.cov(points.astype(np.float64).T) @ matrix, np.eye(12), atol=1e-3)


def test_is_pca_whitening_but_for_a_rotation(points, spectrum):
    """Equal scalar products mean equal up to a rotation."""
    ours = ((points - spectrum.mean) @ zca_matrix(spectrum, 1e-9)).astype(np.float64)
    theirs = PCA(whiten=True).fit_transform(points.astype(np.float64))
    np.testing.assert_allclose(ours[:100] @ ours[:100].T, theirs[:100] @ theirs[:100].T, atol=1e-2)


@pytest.mark.parametrize("epsilon", [0.01, 1.0])
def test_pca_whitening_is_zca_whitening_but_for_a_rotation(points, spectrum, epsilon):
    whitening, rotation = pca_whitening(spectrum, epsilon)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(12), atol=1e-5)
    np.testing.assert_allclose(whitening @ rotation, zca_matrix(spectrum, epsilon), atol=1e-4, rtol=1e-4)
    variances = ((points - spectrum.mean) @ whitening).var(axis=0)
    assert np.all(np.diff(variances) <= 1e-4)


@pytest.mark.parametrize("epsilon", [0.01, 1.0])
def test_unwhitening_is_the_inverse(points, spectrum, epsilon):
    whitened = (points - spectrum.mean) @ zca_matrix(spectrum, epsilon)
    back = whitened @ unwhitening_matrix(spectrum, epsilon) + spectrum.mean
    np.testing.assert_allclose(back, points, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("block", [1, 7, 500, 1999])
def test_blocks_of_any_size(points, spectrum, block):
    blocks = fit_spectrum(lambda: iter(np.split(points, range(block, len(points), block))))
    np.testing.assert_allclose(blocks.mean, spectrum.mean, atol=1e-6, rtol=1e-5)
    np.testing.assert_allclose(blocks.eigenvalues, spectrum.eigenvalues, atol=1e-6, rtol=1e-4)
    np.testing.assert_allclose(zca_matrix(blocks, 0.1), zca_matrix(spectrum, 0.1), atol=1e-4, rtol=1e-3)


def test_fewer_points_than_dimensions():
    """The covariance has no inverse then; no eigenvalue may be negative, and whitening stays finite."""
    points = correlated_points(count=5)
    spectrum = fit_spectrum(lambda: iter([points]))
    assert spectrum.eigenvalues.min() >= 0
    assert np.sum(spectrum.eigenvalues > 1e-5) == 4
    assert np.isfinite((points - spectrum.mean) @ zca_matrix(spectrum, 0.1)).all()

"""The support vector machine of `semisup.svm` by stochastic gradient steps, to see how its accuracy grows with them."""

import numpy as np
from sklearn.linear_model import SGDClassifier

from semisup.svm import LinearModel


def stochastic_svm(
    features: np.ndarray, labels: np.ndarray, classes: int, c: float, steps: list[int], seed: int
) -> list[LinearModel]:
    """Fit the same objective by stochastic gradient steps; return the model after each number of `steps` (increasing).

    One step looks at one training image; images are drawn in random order, again and again. Uses scikit-learn's
    SGDClassifier: constant step size, averaged after the first pass. For the objective divided by C N its penalty alpha
    is 1 / (C N); features are divided by the longest image's length, and alpha by its square, so that no step can
    diverge.
    """
    rng = np.random.default_rng(seed)
    total = len(labels)
    length = np.linalg.norm(features, axis=1).max()
    features = features / length
    solver = SGDClassifier(
        loss="squared_hinge",
        alpha=1 / (c * total * length**2),
        learning_rate="constant",
        eta0=0.1,
        average=total,
        shuffle=False,  # `order` has it; each call would shuffle anew, and the calls depend on `steps`
    )
    order = np.concatenate([rng.permutation(total) for _ in range(-(-steps[-1] // total))])
    models = []
    for begin, end in zip([0, *steps], steps, strict=False):
        for piece in np.array_split(order[begin:end], -(-(end - begin) // total)):
            solver.partial_fit(features[piece], labels[piece], classes=np.arange(classes))
        weights = (solver.coef_.T / length).astype(np.float32)
        models.append(LinearModel(weights, solver.intercept_.astype(np.float32)))
    return models

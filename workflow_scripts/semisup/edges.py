"""The outermost pixels of images: what stands behind the thing that is shown, if it stands before an empty ground."""

import numpy as np


def edge_pixels(images: np.ndarray) -> np.ndarray:
    """Return the outermost pixels of images (..., H, W), shape (..., P); corners count twice."""
    rows, columns = images[..., [0, -1], :], images[..., :, [0, -1]]
    return np.concatenate([part.reshape(*images.shape[:-2], -1) for part in (rows, columns)], axis=-1)

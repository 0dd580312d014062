"""Raw pixels and a support vector machine: the floor that every other method should exceed."""

from methods.declare import Method
from methods.shared import ImageSize, Runs, Svm


class PixelsSvm(ImageSize, Svm):
    """Options of `train_pixels`."""

    image_size = 32
    svm_c = [0.000001, 0.00001, 0.0001, 0.001, 0.01]


class Pixels(PixelsSvm, Runs, Method):
    """Standardised pixels of the scaled images are the features of a one-vs-rest support vector machine."""

    name = "pixels"
    model = True

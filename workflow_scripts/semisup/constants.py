"""Fixed numbers and names of the methods that the report tells too. Imports nothing, so that it starts at once."""

COPY_ROTATION = 45.0  # degrees, +-, of a changed copy
COPY_SHIFTS = (1, 2, 3, 4)  # pixels, up or down
COPY_NOISE = 0.3  # standard deviation; pixels are 0..1, and those of MNIST have a standard deviation of 0.31
EPOCH_FACTOR = 0.998  # the exponential schedule multiplies the learning rate by this after every epoch
PERCENTILE = 99.99  # a layer's features are divided by it, as in Dosovitskiy et al.'s released code
GEOMETRIC = ("rotation", "translation", "scale")  # transformations of a seed patch, in the order of their application
CHROMATIC = ("pca_contrast", "color_contrast", "hue")
TRANSFORMATIONS = GEOMETRIC + CHROMATIC
PROJECTION = 128  # dimensions of SimCLR's projections
TOLD_APART_AMONG = 64  # images whose views are compared where a network of SimCLR is measured

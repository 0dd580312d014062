"""The side of training images in an epoch, where it grows, as in MosaicML's Composer (progressive resizing).

Only the standard library: the workflow reads it too.
"""

GROWS_FROM = 0.5  # of all epochs: before, images have their smallest side
WHOLE_FROM = 0.8  # of all epochs: from here on they have the whole side
MULTIPLE = 4  # pixels that smaller sides are rounded to


def image_side(size: int, part: float, epoch: int, epochs: int) -> int:
    """Return the side in pixels that images of `size` pixels have in an epoch, counted from 0.

    part: what they have of their side at first; from there it grows linearly. The last epoch always has whole images.
    """
    if part == 1 or epoch >= int(WHOLE_FROM * epochs):
        return size
    grown = max(0.0, (epoch / epochs - GROWS_FROM) / (WHOLE_FROM - GROWS_FROM))
    side = MULTIPLE * round(size * (part + (1 - part) * grown) / MULTIPLE)
    return min(size, max(MULTIPLE, side))

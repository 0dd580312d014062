"""Networks trained on labels, from random weights or from a network that has learned without labels."""

from collections.abc import Iterator

from data_sets.declare import Data
from declarations.options import Mistake, PartOrAll, Values, option_names
from methods.declare import Base, Method
from methods.shared import (
    NETWORKS,
    Augmentation,
    LabelledNetwork,
    Recipe,
    Runs,
    colours_there,
    large_enough_for_network,
    small_enough_for_network,
    smaller_than_images,
)


class SupervisedTraining(Recipe, LabelledNetwork, Augmentation):
    """Options of `train_supervised`."""

    progressive_resizing: PartOrAll = 1.0
    """Changed training images are scaled to this part of their side in the first half of the epochs. From there it
    grows to the whole side, which the last 20 % of the epochs have. Sides are rounded to multiples of 4 pixels."""


class Supervised(SupervisedTraining, Runs, Method):
    """A network trained on the labelled images; with a base, training starts from its network."""

    name = "supervised"
    formerly = "cnn"
    network_file = "model.h5"
    mapped = "model.h5"
    training_curves = True
    sections = ("networks", "supervised")
    base = Base(of=("exemplar", "simclr"), what="the network comes")

    @classmethod
    def figures(cls, options: Values) -> list[str]:
        changed = any(options[name] for name in option_names(Augmentation))
        return [*(["augmentations"] if changed else []), *super().figures(options)]

    @classmethod
    def check(cls, options: Values, data: Data, base: Values | None) -> Iterator[Mistake]:
        if base is None:
            yield from large_enough_for_network(options, data)
        else:
            yield from _network_fits(options, data, base)
        smallest = NETWORKS[options["network"]].resizable if base is None else _smallest_images(base)
        if base is not None and options["first_layer"] != "trained":
            yield (
                "first_layer",
                f"{options['first_layer']} would replace the first layer of the base {options['builds_on']!r}; leave "
                "it out, or remove the base",
            )
        yield from small_enough_for_network(smallest, options, data)
        yield from training_fits(options, data)


def _smallest_images(base: Values) -> int:
    """Return the side in pixels of the smallest images that a base's network takes: of patches, if it learned those."""
    return base.get("surrogate_size", NETWORKS[base["network"]].smallest)


def _network_fits(options: Values, data: Data, base: Values) -> Iterator[Mistake]:
    """Check that the network of a base can be trained on."""
    if options["network"] != base["network"]:
        yield (
            "network",
            f"{options['network']} cannot start from the base {options['builds_on']!r}, whose network is "
            f"{base['network']}; set network to {base['network']}, or remove the base",
        )
    size, smallest = data.image_size(options), _smallest_images(base)
    if size < smallest:
        yield (
            "image_size",
            f"{size} is less than the {smallest} pixels that the network of the base {options['builds_on']!r} needs; "
            "choose at least that",
        )


def training_fits(options: Values, data: Data) -> Iterator[Mistake]:
    """Check the changes of the images, and that there is a batch of them."""
    yield from smaller_than_images(("shift", "cutout"), options, data)
    yield from colours_there(("color", "hue"), options, data)
    if options["alternate_flips"] and not options["flip"]:
        yield "alternate_flips", "true has no meaning without flip; set flip to true, or this to false"
    if options["alternate_flips"] and options["steps_per_epoch"]:
        yield (
            "alternate_flips",
            f"true needs epochs that are passes over the images, and steps_per_epoch is {options['steps_per_epoch']}; "
            "set that to 0, or this to false",
        )
    source, images = data.smallest_training_set(options.get("folds", False), options.get("label_counts", ()))
    images *= max(1, options["copies"])
    if options["batch_size"] > images:
        yield (
            "batch_size",
            f"{options['batch_size']} is more than the {images} training images of {source}; choose at most that",
        )

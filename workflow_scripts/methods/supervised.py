"""Networks trained on labels, from random weights or from a network that has learned without labels."""

from collections.abc import Iterator

from data_sets.declare import Data
from declarations.options import Mistake, PartOrAll, Values, option_names
from methods.declare import Base, Method
from methods.shared import (
    NETWORKS,
    Augmentation,
    FirstLayer,
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
    """In the first half of the epochs, augmented training images are scaled to this fraction of their side. The side
    then grows, and is whole in the last 20 % of the epochs. Sides are rounded to multiples of 4 pixels."""


class Supervised(SupervisedTraining, Runs, Method):
    """A network trained on the labelled images; with a base, training starts from its network."""

    name = "supervised"
    model = True
    formerly = "cnn"
    network_file = "model.h5"
    mapped = "model.h5"
    training_curves = True
    sections = ("networks", "supervised")
    base = Base(
        of=("exemplar", "simclr"), gives=(FirstLayer,), fixed=option_names(FirstLayer), what="the network comes"
    )

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
        resizable = NETWORKS[options["network"]].resizable
        smallest = resizable if base is None else base.get("surrogate_size", resizable)
        if base is not None and options["first_layer"] != base.get("first_layer", "trained"):
            yield (
                "first_layer",
                f"{options['first_layer']} would replace the first layer of the base {options['builds_on']!r}; leave "
                "it out, or remove the base",
            )
        yield from small_enough_for_network(smallest, options, data)
        yield from training_fits(options, data)


def _network_fits(options: Values, data: Data, base: Values) -> Iterator[Mistake]:
    """Check that the network of a base can be trained on: one of patches takes larger images, another its own size."""
    name, size = options["builds_on"], data.image_size(options)
    if options["network"] != base["network"]:
        yield (
            "network",
            f"{options['network']} cannot start from the base {name!r}, whose network is {base['network']}; set "
            f"network to {base['network']}, or remove the base",
        )
    if size < base.get("surrogate_size", 0):
        yield (
            "image_size",
            f"{size} is less than the {base['surrogate_size']} pixels of the patches that the network of the base "
            f"{name!r} takes; choose at least that",
        )
    if "surrogate_size" not in base and size != data.image_size(base):
        yield (
            "image_size",
            f"{size} is not the {data.image_size(base)} pixels of the images that the base {name!r} learned from; "
            "choose that",
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

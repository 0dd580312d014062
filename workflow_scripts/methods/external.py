"""Any other method: a run is a file of scores that was made elsewhere, compared with the others on equal terms."""

from collections.abc import Iterator
from typing import Annotated

from data_sets.declare import Data
from declarations.options import Mistake, Options, Values
from methods.declare import Method
from methods.shared import Runs

RUN = "{run}"


class Scores(Options):
    """Where the scores of each run are."""

    scores: Annotated[str, ("minLength", 1)]
    """Path of a run's scores, with `{run}` in the place of the name of the run: `mine/{run}.npz`. The file has three
    arrays: `validation` and `test` are scores of images and classes; `validation_rows` tells which rows of the labelled
    set (train, then validation) the validation scores are of."""


class External(Scores, Runs, Method):
    """Scores made elsewhere, by any method. They are checked, and evaluated on the same sealed images."""

    name = "external"

    @classmethod
    def check(cls, options: Values, data: Data, base: Values | None) -> Iterator[Mistake]:
        if RUN not in options["scores"]:
            yield "scores", f"{options['scores']!r} does not say where the name of the run stands; put {RUN} there"

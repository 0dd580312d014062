"""Pseudo-labels in the loss in the report: such a network is trained as on labels alone."""

from reporting.methods import supervised
from reporting.methods.supervised import values

__all__ = ["FURTHER", "values"]

FURTHER = ("unlabeled_pool", "labelled_in_pool", *supervised.FURTHER)

"""Pseudo-labels in the loss in the report: such a network is trained as on labels alone."""

from reporting.methods.supervised import FURTHER, values

__all__ = ["FURTHER", "values"]

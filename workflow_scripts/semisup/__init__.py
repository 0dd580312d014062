"""Library of the study: plain functions on arrays and files. It knows nothing of Snakemake.

Imports point one way: `cli` and `files` at the bottom, then `hdf5`, the data set and the methods, then the programs.
"""

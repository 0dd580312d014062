"""Kinds of finished models, a module each, found by its name.

`read_model`, `description` in a few words, `image_shape` and `image_scores`; a model has `class_names`.
"""

"""Kinds of finished models, a module each: `read_model`, `image_channels` and `image_scores`; found by its name."""

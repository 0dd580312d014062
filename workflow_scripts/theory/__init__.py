"""The derivations and small experiments of the report, and the checks of both; no study uses any of it."""

"""What the Snakefile uses while it plans: the checked configuration and the digest of the code.

The programs never import it.
"""

"""The ways to run the pipeline, one a file: `up`, `replay`, `spike`, `rebuild`, `warm`.

Each gives the pipeline a source, a data directory and listeners; none computes anything itself.
"""

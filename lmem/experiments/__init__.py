"""Runs over many cells: sweeps, the ablation ladder, the published experiment, and the paper's own numbers.

`planning` predicts what a run needs before it starts. Everything writes one result file per cell
and resumes.
"""

"""Runs over many cells: sweeps, the ablation ladder, the published experiment, and the paper's own numbers.

Every run writes one result file per cell and resumes. `planning` predicts what a run needs before it starts; how one
adapter is evaluated is in `evaluation`.
"""

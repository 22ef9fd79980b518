"""Runs over many cells: sweeps, the ablation ladder, the published experiment, and the paper's own numbers.

A cell is one method at one scale with one seed. Sweep, ladder and reproduction write one file per cell and resume. `planning`
predicts what a run needs before it starts; how one adapter is evaluated is in `evaluation`.
"""

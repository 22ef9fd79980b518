"""How fast the engine is, measured against the plain way of doing the same work.

`encode`, `train`, `evaluate` and `gpu` time both ways in turn in one process; the others measure lmem alone. Predictions without
running are in `experiments.planning`.
"""

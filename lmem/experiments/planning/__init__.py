"""How long a run takes and how much memory it needs, predicted before it runs.

The model's shape is enough: no weights are loaded and nothing is measured, except this CPU's speed, in `machine`. Measured times
of whole runs are in `bench`.
"""

"""How long a run takes and how much memory it needs, predicted before it runs.

The model's shape is enough: no weights are loaded. Measured times are in `bench`.
"""

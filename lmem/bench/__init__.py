"""How fast the engine is, measured against the plain way of doing the same work.

Every benchmark times both ways in turn in one process. Predictions without running are in
`experiments.planning`.
"""

"""Questions asked under many conditions: the right bank, wrong banks, no bank, turns as text.

Results are summarised, written to files and rendered as tables here. How one answer is scored is in `metrics`; runs
over many methods and seeds are in `experiments`.
"""

"""Questions asked under many conditions: the right bank, wrong banks, no bank, turns as text.

Results are summarised, written to files and printed as tables here. How one answer is scored is
in `metrics`.
"""

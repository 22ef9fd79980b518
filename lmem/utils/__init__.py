"""Small helpers that know nothing about banks or models: atomic files, progress bars, settings, provenance, timing, devices.

Every other folder may use them. Nothing about conversations, models or scores belongs here.
"""

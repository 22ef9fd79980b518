"""Instruments that look inside a memory: the metrics of a bank, whether its rows collapse, where a read looks, and at which step an answer is lost.

They return numbers. Figures of these numbers are in `viz`.
"""

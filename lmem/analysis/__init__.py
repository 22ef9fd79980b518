"""Instruments that look inside a memory: what a bank holds, how its rows collapse, where a read looks, at which step an answer is lost.

They return numbers. Figures of these numbers are in `viz`.
"""

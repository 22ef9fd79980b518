"""Figures and widgets, drawn from numbers that other folders compute.

Every figure is a plotly figure or an SVG string with a text alternative. No model is trained
here.
"""

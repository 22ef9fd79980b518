"""Figures, drawn from results, banks or small formulas.

Every figure is a plotly figure or an SVG string with a text alternative. No model is trained
here.
"""

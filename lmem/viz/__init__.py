"""Figures from banks and result files, and source code shown in a notebook. No model is loaded here."""

"""The frozen encoder-decoder model: loading it, encoding turns, generating answers, and the hooks at its three injection sites.

The shipped backbone and its pre-training are here as well. Nothing here knows what a bank or a method is.
"""

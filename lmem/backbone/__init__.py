"""The frozen encoder-decoder model: loading it, encoding turns, generating answers, and the hooks at its three injection sites.

The shipped backbone and its pre-training are here as well. Nothing here imports `memory`: a bank arrives as plain
tensors, rows and a mask.
"""

"""The frozen encoder-decoder model: loading it, encoding turns, generating answers, and the hooks at its three injection sites.

The shipped backbone nano and the pre-training of nano and mini are here as well. Nothing here imports `memory`: a
bank arrives as plain tensors, rows and a mask.
"""

"""Training of adapters on a frozen backbone: the training loop, its data, banks and loss, checkpoints, and supervision by evidence.

Pretraining the backbone itself belongs to `backbone.pretrain`. Loops over methods and seeds belong to
`experiments`.
"""

"""Training of adapters beside a frozen backbone: the training loop, checkpoints, and supervision of keyed writes by evidence.

Making the backbone itself belongs to `backbone.pretrain`. Loops over methods and seeds belong to
`experiments`.
"""

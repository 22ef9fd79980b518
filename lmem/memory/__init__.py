"""The memory itself: banks, their writes and reads, and the table of methods.

Rules write the banks (`write`), and the reads hand them to the backbone (`read`). `model.MemoryModel` puts a method on a
backbone; `methods` pairs writes with reads. Training and scoring a memory happen in other folders.
"""

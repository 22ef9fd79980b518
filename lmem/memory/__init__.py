"""The memory itself: banks, the rules that write them (`write`), the adapters that read them (`read`), and the table of methods that pairs the two.

`model.MemoryModel` puts a method on a backbone. Training and scoring a memory happen elsewhere.
"""

"""The memory itself: banks, the rules that write them (`write`), the adapters that read them (`read`), and the table of methods.

`model.MemoryModel` puts a method on a backbone; `methods` pairs writes with reads. Training and scoring a memory happen in
other folders.
"""

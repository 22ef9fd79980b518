"""The logic of a chat with a memory, without a terminal.

The command line uses it. How text is drawn belongs there.
"""

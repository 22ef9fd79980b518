"""The logic of a chat with a memory, without a terminal or a widget.

The command line and the notebook widget both use it. How text is drawn belongs to them.
"""

"""Conversations as plain values, and where they come from: LoCoMo's file or the generator tinyworld."""

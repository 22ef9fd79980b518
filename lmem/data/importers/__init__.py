"""Conversations of one's own: exports of chat programs and the forms of other data sets, read into LoCoMo's form.

Each module reads one form; `formats` has the table of them and is what a caller uses. Files are read where they are, and
nothing is sent anywhere. Whatever is left out is counted in the report.
"""

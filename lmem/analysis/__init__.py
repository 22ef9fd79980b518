"""Instruments that look inside a memory.

They return numbers. Figures of these numbers are in `viz`.

    bank_metrics, collapse, mean_field   whether the rows of a bank become alike
    retrieval                            which rows a question finds
    turn_trace                           what is left of a turn
    attention                            where a read looks
    retrieval_errors                     at which step an answer is lost
"""

"""The making of mini, a small T5 that reads everyday English (chapter 1).

tokenizer.py  subword pieces with byte fallback, learned from generated text
batches.py    training batches: questions about turns, and listings of many facts
measure.py    how well it reads, by ability, and which way its errors go
pretrain.py   training in resumable legs
"""

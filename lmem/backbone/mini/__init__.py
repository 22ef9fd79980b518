"""The making of mini, a small T5 that reads everyday English (chapter 1).

tokenizer.py  subword pieces with byte fallback, learned from generated text
batches.py    training batches by levels: questions about turns, and several questions about the same turns
losses.py     the weighted loss of the answer's pieces, and that of the place where it begins
measure.py    how well it reads, by ability, and which way its errors go
pretrain.py   training in resumable legs
"""

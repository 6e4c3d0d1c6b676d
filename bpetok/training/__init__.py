"""The whole chain: text to words to merges to a `Tokenizer`.

In: files, texts or words, and options. Out: a `Tokenizer`, or an estimate of what training takes.
"""

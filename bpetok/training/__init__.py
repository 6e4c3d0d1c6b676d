"""The whole chain: text to words to merges to a `Tokenizer`.

In: files, texts or words, and options. Out: a `Tokenizer`, or an estimate of what training takes.

What a user calls: `train`, `estimate`, `retraining`, `sequences`, `watch`. Options become a `plan`,
and `pipeline` runs it. What may be different: `compat` (other trainers' merges), `like` (another
tokenizer's ids), `naming`, `initial_tokens`, `continuing` (from merges that there are),
`superwords`, `parity` and `balance`. What it takes: `memory`, `lengths`.
"""

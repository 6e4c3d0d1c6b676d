"""What was learned, shown to a person.

In: a tokenizer and texts. Out: explanations and reports, as text, tables, figures and pages.
"""

"""Vocabulary-defined semantic bases (Section 3)."""

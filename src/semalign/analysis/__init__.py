"""Analyses: decomposition (Fig. 2), CKA (Fig. 4 and 6), and the diagnosis of a pair before any training."""

"""Analyses of the paper: decomposition (Fig. 2) and CKA (Fig. 4 and 6)."""

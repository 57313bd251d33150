"""The targets that student layers learn from: attribution, pairing, alignment (Sections 4.1 and 4.2)."""

"""What a student layer is to learn: attribution, pairing, alignment (Sections 4.1 and 4.2)."""

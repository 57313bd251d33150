"""Training of a student: losses, LoRA, the training loop (Section 4.3)."""

"""Training of a student: objective, losses, LoRA and the training loop (Section 4.3)."""

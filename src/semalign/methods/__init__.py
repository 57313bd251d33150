"""Ways to adapt a student: SemAlign, baselines and controls."""

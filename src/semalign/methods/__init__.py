"""Methods that adapt a student: SemAlign, baselines and controls."""

"""Run records and their statistics."""

"""Run records, and statistics over them."""

"""Scores of a model on a task."""

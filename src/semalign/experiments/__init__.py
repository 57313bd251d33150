"""Runs of a profile: every model, method, task and seed."""

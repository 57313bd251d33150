"""Data that models read: rows, the tasks that they come from, and published data sets."""

"""What models read: rows, the tasks they come from, and published data sets."""

"""The tables of the book: functions from frames of numbers to frames of texts."""

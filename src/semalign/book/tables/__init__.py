"""The tables of the book: frames of numbers in, frames of texts out."""

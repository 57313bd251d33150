"""The code behind the book: notebooks, figures and tables."""

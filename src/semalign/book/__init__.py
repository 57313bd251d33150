"""What the book is made with: notebooks, figures and tables."""

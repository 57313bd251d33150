"""Models: load them, find their parts, capture their states, make students."""

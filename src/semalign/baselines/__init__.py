"""Methods that semalign is compared with, one module each."""

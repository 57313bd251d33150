"""The versions of what computes states and answers; nothing here loads PyTorch."""

STATE_VERSION = 2
"""Raised when a change of this code changes identities, states, steps of training or answers."""
PACKAGES = ("torch", "transformers", "tokenizers", "peft")

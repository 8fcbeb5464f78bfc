"""From arrays to the bytes of a message, and back."""

"""Work of the shell in the background."""

"""The demonstration: it passes, and fails where a guard is missing."""

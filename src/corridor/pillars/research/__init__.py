"""Joint research: a study across countries in which no patient row leaves home."""

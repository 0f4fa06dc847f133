"""What a study is, what may be computed and what may be released: pure decisions."""

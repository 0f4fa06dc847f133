"""The long run: real processes are killed while envelopes cross, and an independent reader compares both databases."""

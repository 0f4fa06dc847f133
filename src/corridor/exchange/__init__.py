"""The heart: what may cross the border, how it crosses, and the proof that it crossed."""

"""The pages of surveillance: each answers one question of one person."""

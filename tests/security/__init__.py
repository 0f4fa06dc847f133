"""What an attacker tries on pages, files and partners, and what holds."""

"""Background work: leases, retries and schedules, kept in the database."""

"""The pillars: whole services for their own people, each on the exchange and blind to the others."""

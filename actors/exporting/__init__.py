"""Sending finished messages away as traces: the actor, its couriers, and what they decide by."""

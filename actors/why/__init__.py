"""Why a message has not ended: pure, from what the store and the actors know."""

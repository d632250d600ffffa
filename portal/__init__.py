"""Portal is an internal developer portal backend for machine-learning organisations."""

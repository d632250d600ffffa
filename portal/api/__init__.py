"""The HTTP API: JSON contracts, as Backstage's clients speak them."""

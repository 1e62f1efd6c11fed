"""The demo clip: a public-domain portrait animated by known action units."""

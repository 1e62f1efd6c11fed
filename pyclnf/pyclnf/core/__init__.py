"""The numerical stages of landmark fitting, each usable alone."""

"""Gaze, eye landmarks and eye opening of the open pack: drawn eyes and the network that learns from them."""

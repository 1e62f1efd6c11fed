"""Photographs animated by the expression shapes of ICT-FaceKit (training data and the demo clip)."""

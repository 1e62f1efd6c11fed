"""Where OpenFace's model files come from: the manifest and the script that made it."""

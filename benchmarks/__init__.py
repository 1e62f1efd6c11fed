"""Speed and memory of the pipeline, one command each."""

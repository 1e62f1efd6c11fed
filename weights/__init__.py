"""Where the open models come from: training code, data manifests, splits and model cards."""

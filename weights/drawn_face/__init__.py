"""The link from action units to the open shape model, with which faces are drawn from numbers."""

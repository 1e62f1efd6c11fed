"""Colours that the plot and the overlay share."""

FOUND = "#c8452c"
TRUE = "#30638e"

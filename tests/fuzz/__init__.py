"""Hostile files: every parser of the four packages, fed with damaged input, at random or guided by coverage."""

"""Training of the open landmark models: PDM, CEN patch experts, early termination and validator."""

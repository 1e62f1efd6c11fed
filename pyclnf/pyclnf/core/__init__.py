"""Internals of the fit: shape model, patch experts, mean shift, fitter, validator.

Names here may change from version to version. What users need is in :mod:`pyclnf` itself, :mod:`pyclnf.pose`,
:mod:`pyclnf.gaze`, :mod:`pyclnf.geometry`, :mod:`pyclnf.image` and :mod:`pyclnf.io`.
"""

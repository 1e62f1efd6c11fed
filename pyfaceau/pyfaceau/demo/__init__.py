"""The demonstration: a clip with known action units, analysed and compared with the truth."""

from __future__ import annotations

from .report import DEMO_CLIP, DEMO_PORTRAIT, DEMO_TRUTH, DemoReport, run_demo

__all__ = ["DEMO_CLIP", "DEMO_PORTRAIT", "DEMO_TRUTH", "DemoReport", "run_demo"]

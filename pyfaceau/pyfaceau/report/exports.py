"""Events as files of the programs that people annotate with: ELAN and BORIS."""

from __future__ import annotations

import json
import mimetypes
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

from .. import __version__
from ..action_units import AU_NAMES

_EAF_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_LINGUISTIC_TYPE = "action-unit"
_BORIS_FORMAT = "7.0"
_BORIS_PLAYERS = 8
_XML_CANNOT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Event:
    """A movement of an action unit.

    Attributes
    ----------
    face : int
    unit : str
        Such as "AU12".
    onset, apex, offset : float
        Seconds: first frame, strongest, last.
    duration : float
        Seconds, with the last frame.
    peak : float
        Intensity of the strongest frame.
    complete : bool
        False if the face was not there just before or after.
    """

    face: int
    unit: str
    onset: float
    apex: float
    offset: float
    duration: float
    peak: float
    complete: bool

    @property
    def end(self) -> float:
        """Where the next frame begins, s."""
        return self.onset + self.duration


@dataclass(frozen=True)
class Recording:
    """The video that events belong to.

    Attributes
    ----------
    name : str
        Of the observation.
    media : str
        Path of the video as seen from the exported file; empty if there is none.
    fps, duration : float
        Frames/s; s.
    date : str
        When the file is made, ISO 8601 with offset.
    """

    name: str
    media: str
    fps: float
    duration: float
    date: str


def eaf(events: Sequence[Event], recording: Recording) -> str:
    """Write events as an ELAN annotation file (.eaf, format 3.0).

    Parameters
    ----------
    events : sequence of Event
    recording : Recording

    Returns
    -------
    str
        XML: one tier a unit (and face, where there are several), an annotation an event, with the intensity as text.

    Notes
    -----
    ELAN asks for the video if it does not find it at the relative path. H. Sloetjes, "EAF Annotation Format 3.0 and
    ELAN", Max Planck Institute for Psycholinguistics.
    """
    ET.register_namespace("xsi", _XSI)
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": f"pyfaceau {__version__}",
            "DATE": recording.date,
            "FORMAT": "3.0",
            "VERSION": "3.0",
            f"{{{_XSI}}}noNamespaceSchemaLocation": _EAF_SCHEMA,
        },
    )
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    if recording.media:
        kind = mimetypes.guess_type(recording.media)[0] or "unknown"
        media = _XML_CANNOT.sub("\ufffd", recording.media)
        where = {"MEDIA_URL": media, "RELATIVE_MEDIA_URL": f"./{media}"}
        ET.SubElement(header, "MEDIA_DESCRIPTOR", {**where, "MIME_TYPE": kind})
    used = ET.SubElement(header, "PROPERTY", {"NAME": "lastUsedAnnotationId"})
    used.text = str(len(events))
    several = len({event.face for event in events}) > 1
    times = sorted({_milliseconds(time) for event in events for time in (event.onset, event.end)})
    slots = {time: f"ts{number}" for number, time in enumerate(times, start=1)}
    order = ET.SubElement(root, "TIME_ORDER")
    for time, slot in slots.items():
        ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slot, "TIME_VALUE": str(time)})
    number = 0
    for (face, unit), its in _tiers(events).items():
        tier = f"{unit} face {face}" if several else unit
        element = ET.SubElement(root, "TIER", {"LINGUISTIC_TYPE_REF": _LINGUISTIC_TYPE, "TIER_ID": tier})
        if several:
            element.set("PARTICIPANT", f"face {face}")
        for event in its:
            number += 1
            wrapper = ET.SubElement(element, "ANNOTATION")
            bounds = (slots[_milliseconds(event.onset)], slots[_milliseconds(event.end)])
            annotation = ET.SubElement(
                wrapper,
                "ALIGNABLE_ANNOTATION",
                {"ANNOTATION_ID": f"a{number}", "TIME_SLOT_REF1": bounds[0], "TIME_SLOT_REF2": bounds[1]},
            )
            ET.SubElement(annotation, "ANNOTATION_VALUE").text = f"{event.peak:.2f}"
    ET.SubElement(
        root,
        "LINGUISTIC_TYPE",
        {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": _LINGUISTIC_TYPE, "TIME_ALIGNABLE": "true"},
    )
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def boris(events: Sequence[Event], recording: Recording) -> str:
    """Write events as a BORIS project (.boris, project format 7.0).

    Parameters
    ----------
    events : sequence of Event
    recording : Recording

    Returns
    -------
    str
        JSON: an ethogram with a state event for each unit, and one observation. Each event is a start and a stop; the
        comment holds the intensity.

    Notes
    -----
    BORIS: Friard & Gamba 2016, Methods in Ecology and Evolution 7.
    """
    units = sorted({event.unit for event in events})
    faces = sorted({event.face for event in events})
    subjects = {face: f"face {face}" for face in faces} if len(faces) > 1 else dict.fromkeys(faces, "")
    rows: list[list[object]] = []
    for event in events:
        subject = subjects[event.face]
        for time, note in ((event.onset, f"peak {event.peak:.2f} at {event.apex:.3f} s"), (event.end, "")):
            frame = round(time * recording.fps)
            rows.append([round(time, 3), subject, event.unit, "", note, frame])
    # Where an event begins in the moment in which the one before ends, its end comes first.
    rows.sort(key=lambda row: (row[0], row[4] != ""))
    media = recording.media or recording.name
    observation = {
        "file": {str(player): [media] if player == 1 else [] for player in range(1, _BORIS_PLAYERS + 1)},
        "type": "MEDIA",
        "date": recording.date[:19],
        "description": f"Action units found by pyfaceau {__version__}",
        "time offset": 0.0,
        "events": rows,
        "observation time interval": [0, 0],
        "independent_variables": {},
        "visualize_spectrogram": False,
        "visualize_waveform": False,
        "media_creation_date_as_offset": False,
        "media_scan_sampling_duration": 0,
        "image_display_duration": 1,
        "close_behaviors_between_videos": False,
        "media_info": {
            "length": {media: recording.duration},
            "fps": {media: recording.fps},
            "hasVideo": {media: True},
            "hasAudio": {media: False},
            "offset": {"1": 0.0},
        },
    }
    project = {
        "time_format": "hh:mm:ss",
        "project_date": recording.date[:19],
        "project_name": recording.name,
        "project_description": "",
        "project_format_version": _BORIS_FORMAT,
        "subjects_conf": {
            str(number): {"key": "", "name": name, "description": ""}
            for number, name in enumerate(filter(None, subjects.values()))
        },
        "behaviors_conf": {
            str(number): {
                "type": "State event",
                "key": "",
                "code": unit,
                "description": AU_NAMES.get(unit, ""),
                "color": "",
                "category": "",
                "modifiers": {},
                "excluded": "",
                "coding map": "",
            }
            for number, unit in enumerate(units)
        },
        "observations": {recording.name: observation},
        "behavioral_categories": [],
        "behavioral_categories_config": {},
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }
    return json.dumps(project, indent=1, ensure_ascii=False) + "\n"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _tiers(events: Sequence[Event]) -> dict[tuple[int, str], list[Event]]:
    """Sort events by face and unit, and by their onsets."""
    found: dict[tuple[int, str], list[Event]] = {}
    for event in sorted(events, key=lambda each: (each.face, each.unit, each.onset)):
        found.setdefault((event.face, event.unit), []).append(event)
    return found

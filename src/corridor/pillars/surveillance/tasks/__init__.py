"""Work of several steps: take a file in, look for outbreaks, share what is due."""

from corridor.pillars.surveillance.tasks.detection import DETECT, detect, detect_disease
from corridor.pillars.surveillance.tasks.intake import FIELDS, ReadFile, Taken, preview, read_file, take_in
from corridor.pillars.surveillance.tasks.sharing import SHARE, held_back, share, share_channel

__all__ = [
    "DETECT",
    "FIELDS",
    "SHARE",
    "ReadFile",
    "Taken",
    "detect",
    "detect_disease",
    "held_back",
    "preview",
    "read_file",
    "share",
    "share_channel",
    "take_in",
]

"""The reproduction of the paper: its printed tables and figures beside ours."""

from .facts import Facts, VoterFacts
from .figures import draw
from .inputs import Paper, Settings, StandIns, read_settings
from .page import write
from .reproduction import Measured, Reproduction, Source, measure, reproduce

__all__ = [
    "Facts",
    "Measured",
    "Paper",
    "Reproduction",
    "Settings",
    "Source",
    "StandIns",
    "VoterFacts",
    "draw",
    "measure",
    "read_settings",
    "reproduce",
    "write",
]

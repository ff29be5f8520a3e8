"""The reproduction of the paper: its printed tables and figures beside ours."""

from .figures import draw
from .inputs import Paper, Settings, StandIns, read_settings
from .page import write
from .reproduction import Reproduction, measure, reproduce

__all__ = [
    "Paper",
    "Reproduction",
    "Settings",
    "StandIns",
    "draw",
    "measure",
    "read_settings",
    "reproduce",
    "write",
]

"""How the model is trained: one file per scheme, all with one signature (`Scheme`)."""

from fedlocal.schemes.setting import OnRound, Scheme, Setting, Trained

__all__ = ["OnRound", "Scheme", "Setting", "Trained"]

"""Origination: from an application to money paid out, reviewed, disclosed, agreed."""

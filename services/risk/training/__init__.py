"""From data to artefacts: nothing here runs while applications are decided."""

"""Collections: cases, contact with care, promises, hardship plans."""

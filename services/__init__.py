"""The four independent services; they meet only in `lending.*` contracts."""

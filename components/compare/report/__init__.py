"""Renders the comparison: one HTML file and its summary in Markdown."""

"""What the report shows, prepared for its templates."""

"""Thin modules, one for each place where the pipeline runs."""

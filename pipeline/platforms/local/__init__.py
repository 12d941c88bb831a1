"""The pipeline on this machine, by the KFP local runner."""

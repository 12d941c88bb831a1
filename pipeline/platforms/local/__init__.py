"""The pipeline on this machine, with the KFP local runner."""

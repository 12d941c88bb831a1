"""Stage 8: package what the run recommends as one model that does by itself what its row says."""

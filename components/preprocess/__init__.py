"""Stage 1: read the source, verify and label every face, drop and undersample faces, pack the images."""

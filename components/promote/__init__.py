"""Stage 9: decide whether the recommended model becomes the champion."""

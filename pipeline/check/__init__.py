"""What a source of faces holds and which settings suit it, before anything is trained."""

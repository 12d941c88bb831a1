"""The network with a head for each output, and how it is served."""

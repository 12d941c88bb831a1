"""The network with its three heads, how it is trained, and how it is served."""

"""Commands of the command line that concern the platforms."""

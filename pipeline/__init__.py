"""What runs, and where: the pipeline's definition, its settings, its platforms and the command line."""

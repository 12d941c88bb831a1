"""The pipeline on Vertex AI Pipelines."""

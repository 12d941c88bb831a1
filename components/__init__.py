"""The stages of the pipeline and the packages that they are built from.

A stage is a folder named with a verb (``preprocess``, ``train``, …). What several stages
need lives in ``dataset``, ``model``, ``imbalance`` and ``evaluation``. No stage imports
another one, and nothing here imports ``pipeline``.
"""

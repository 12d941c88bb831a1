"""The stages of the pipeline, and the packages that several of them share.

A stage is a folder named with a verb (``preprocess``, ``train``, …); what several stages share is named with a
noun (``sources``, ``dataset``, ``training``, ``model``, ``imbalance``, ``evaluation``). No stage imports
another, and nothing here imports ``pipeline``; ``make lint`` enforces both.
"""

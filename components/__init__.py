"""The stages of the pipeline, and the rooms that several of them share.

A stage is a folder named with a verb (``preprocess``, ``train``, …); what stages share has a noun's name
(``sources``, ``dataset``, ``training``, ``model``, ``imbalance``, ``evaluation``). No stage imports another
one, and nothing here imports ``pipeline``; ``make lint`` holds these arrows.
"""

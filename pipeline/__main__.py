"""``python -m pipeline`` is ``evenface``."""

from pipeline.cli import main

if __name__ == "__main__":
    main()

"""``python -m lancert`` is the ``lancert`` command."""

from lancert.cli import main

if __name__ == "__main__":
    main()

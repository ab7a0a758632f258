"""``python -m trainscape``: the command line."""

import sys

from trainscape import interrupts


def main() -> int:
    """Run the command line, whose modules load where a Ctrl-C is a word already."""
    interrupts.told_in_a_word()
    from trainscape import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())

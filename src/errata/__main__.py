"""`python -m errata` is the command line too."""

from errata.cli.app import main

if __name__ == "__main__":
    main()

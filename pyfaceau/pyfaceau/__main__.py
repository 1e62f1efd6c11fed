"""`python -m pyfaceau` is the command `pyfaceau`."""

from pyfaceau.cli import main

if __name__ == "__main__":
    main()

"""Drop all but the newest measurements."""

import argparse

from station import MEASUREMENTS, read, write

NOTHING_TO_DO = 99  # the registry says so too: skip_exit="99"


def main() -> None:
    """Keep the newest measurements; say with the exit code if there is nothing to drop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=int, required=True)
    keep = parser.parse_args().keep

    readings = read(MEASUREMENTS)
    surplus = max(len(readings) - keep, 0)
    if not surplus:
        print(f"{len(readings)} measurement(s), nothing to drop")
        raise SystemExit(NOTHING_TO_DO)
    write(MEASUREMENTS, readings[surplus:])
    print(f"dropped {surplus} of {len(readings)} measurement(s)")


if __name__ == "__main__":
    main()

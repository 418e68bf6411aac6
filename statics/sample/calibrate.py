"""Read the offset of the cellar's sensor from sample_data/offset.txt; somebody has to write it."""

from station import FOLDER

OFFSET = FOLDER / "offset.txt"


def main() -> None:
    """Check that the offset is there and is a number."""
    FOLDER.mkdir(exist_ok=True)
    if not OFFSET.exists():
        raise FileNotFoundError(f"write the sensor's offset, such as 0.5, to {OFFSET.resolve()}")
    offset = float(OFFSET.read_text(encoding="utf-8"))
    print(f"the sensor reads {offset:+.1f} degrees too much")


if __name__ == "__main__":
    main()

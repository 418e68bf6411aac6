"""Print the latest measurement, corrected by the offset that calibrate has checked."""

from station import FOLDER, MEASUREMENTS, read


def main() -> None:
    """Subtract the offset from the latest measurement."""
    offset = float((FOLDER / "offset.txt").read_text(encoding="utf-8"))
    latest = read(MEASUREMENTS)[-1]
    print(f"{latest.degrees - offset:.1f} degrees in the cellar at {latest.instant:%H:%M}")


if __name__ == "__main__":
    main()

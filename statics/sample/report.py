"""Draw the latest averages as a chart, in the log and in sample_data/report.txt."""

import os

from station import AVERAGES, FOLDER, Reading, read

LINES = 20


def chart(readings: list[Reading]) -> list[str]:
    """Return one line a reading, its bar as long as it is warmer than the coldest."""
    coldest = min(reading.degrees for reading in readings)
    return [
        f"{reading.instant:%H:%M}  {reading.degrees:6.2f}  "
        + "#" * (1 + round((reading.degrees - coldest) * 20))
        for reading in readings
    ]


def main() -> None:
    """Print the chart and keep it."""
    title = os.environ.get("REPORT_TITLE", "Temperature")
    text = "\n".join([title, *chart(read(AVERAGES)[-LINES:])])
    (FOLDER / "report.txt").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

"""Cases as a file holds them."""

from datetime import date, timedelta

FIRST = date(2026, 1, 5)


def case(number: int, **fields: object) -> dict[str, object]:
    """Return one row of a line list; what `fields` leaves open is a confirmed case of measles in Punjab."""
    return {
        "case_id": f"case-{number}",
        "disease": "measles",
        "place": "PK-PB",
        "onset_on": str(FIRST + timedelta(days=number % 28)),
        "report_on": str(FIRST + timedelta(days=number % 28 + 2)),
        "age_years": str(number % 90),
        "sex": "f" if number % 2 else "m",
        "classification": "confirmed",
        "outcome": "",
        "imported_from": "",
        **fields,
    }


def count(start: str, observed: object, **fields: object) -> dict[str, object]:
    """Return one row of a file of weekly counts; what `fields` leaves open is measles in Punjab."""
    return {"disease": "measles", "place": "PK-PB", "week": start, "observed": observed, **fields}

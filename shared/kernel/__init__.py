"""Pure values of lending: money, dates, errors; no clock and no I/O."""

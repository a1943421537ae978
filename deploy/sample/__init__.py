"""A sample book: real applications, synthetic repayments."""

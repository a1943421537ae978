"""The steps of an application and the cost of a loan; pure."""

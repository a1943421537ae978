"""The loan model: facts in, schedule, balances, delinquency and journal out; pure."""

"""What can be asked of the ledger: post, read, close days, follow the log."""

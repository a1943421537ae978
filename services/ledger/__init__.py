"""The ledger: who is late, since when, why, and can you prove it?"""

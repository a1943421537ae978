"""Risk: should we lend, and why not?"""

"""Policy rules and the scorecard; pure."""

"""How Duebook is run: here, in containers, with a sample book."""

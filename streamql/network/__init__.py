"""What everything that talks to a server shares: secrets, allowed hosts, when to try again."""

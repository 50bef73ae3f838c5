"""What the bot costs in time and memory, side by side with what a user would otherwise do."""

"""The language of `/pool` lines: where a command stands, what it says, who may say it. No I/O."""

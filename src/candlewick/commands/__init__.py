"""The commands, one file a group.  Each imports what it needs when it runs: help is quick."""

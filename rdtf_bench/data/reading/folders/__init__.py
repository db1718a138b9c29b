"""Read the folders of users: which clips they hold, their captions, splits and copies, and what is broken."""

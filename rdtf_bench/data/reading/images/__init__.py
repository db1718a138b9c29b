"""Read animated images and single pictures, and compose their frames as browsers do."""

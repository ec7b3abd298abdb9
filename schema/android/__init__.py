"""What the Android app sees; owned by the Android team."""

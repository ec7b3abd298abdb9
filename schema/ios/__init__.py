"""What the iOS app sees; owned by the iOS team."""

"""What the web app sees; owned by the web team."""

"""From the ad click to the match."""

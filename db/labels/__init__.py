"""Labels that people and clients give, and how predictions turned out."""

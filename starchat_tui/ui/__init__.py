"""Full-screen front end, built with Textual."""

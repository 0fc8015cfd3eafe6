"""The whole loop with a simulated clinician: arms side by side, measured on held-out volumes."""
